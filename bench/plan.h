/* The plan of a load: the grammar stands at the top of generator.c. */

#ifndef PLAN_H
#define PLAN_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

enum { SERVERS = 64, FAILS = 8, AUTOS = 8, NAME = 128, VARIABLES = 10, GROUPS = 8 };

struct text {
    char *bytes;
    size_t length;
};

struct pattern {
    int kind; /* TEXT, BINARY, or 0 for any */
    size_t least;
    enum { EVERY, CONTAINS, COUNT } by;
    struct text marker;
};

struct step {
    enum { SEND, WAIT_FRAMES, WAIT_TEXT } what;
    int opcode;
    size_t frames;
    struct text text;
    struct step *next;
};

struct answer {
    int is_equal;
    struct text heard, reply;
};

struct payload {
    char name[NAME];
    int opcode, is_recorded;
    struct text text; /* a template, or the whole file of recorded frames */
    struct payload *next;
};

/* What a block of the plan says; `copies` of it are played. */
struct script {
    struct text path, headers;
    char room[NAME];
    size_t copies, window;
    int port, group, is_receipted, answer_count;
    uint64_t base;
    double rate, every_s;
    struct text set[VARIABLES], beat;
    struct step *steps, *last_step;
    struct answer answers[AUTOS];
    struct payload *payload;
    struct script *next;
};

struct plan {
    int port, echo, server_count, fail_count;
    double warm_s, seconds, settle_s, drain_s, patience_s;
    size_t at_once;
    uint64_t sample, seed, rounds;
    int servers[SERVERS];
    struct pattern delivery, receipt;
    struct text fails[FAILS];
    struct payload *payloads;
    struct script *scripts, *last_script;
};

_Noreturn static void wrong(const char *line, const char *why);

static struct text unescaped(const char *from, size_t n) {
    struct text t = {malloc(n + 1), 0};
    if (!t.bytes) die("out of memory");
    for (size_t i = 0; i < n; i++) {
        char c = from[i];
        if (c == '\\' && i + 1 < n) {
            c = from[++i];
            if (c == 'n') c = '\n';
            else if (c == 'r') c = '\r';
            else if (c == 't') c = '\t';
            else if (c == 'x' && i + 2 < n) {
                char digits[3] = {from[i + 1], from[i + 2], 0};
                c = (char)strtol(digits, NULL, 16);
                i += 2;
            }
        }
        t.bytes[t.length++] = c;
    }
    t.bytes[t.length] = 0;
    return t;
}

static struct text rest_of(const char *line) { return unescaped(line, strlen(line)); }

/* The next word of the line, which is moved behind it and one space. */
static const char *word(char **line, char *into) {
    size_t n = strcspn(*line, " ");
    if (n >= NAME) wrong(*line, "too long a word");
    memcpy(into, *line, n);
    into[n] = 0;
    *line += n + ((*line)[n] == ' ');
    return into;
}

static int opcode_of(const char *kind, const char *line) {
    if (!strcmp(kind, "text")) return TEXT;
    if (!strcmp(kind, "binary")) return BINARY;
    if (!strcmp(kind, "any")) return 0;
    wrong(line, "neither text nor binary");
}

static struct text file_at(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat s;
    if (fd < 0 || fstat(fd, &s)) wrong(path, "no such file");
    char *bytes = s.st_size ? mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : "";
    if (bytes == MAP_FAILED) die(path);
    close(fd);
    return (struct text){bytes, (size_t)s.st_size};
}

static struct pattern pattern_of(char *line) {
    char one[NAME];
    struct pattern p = {.kind = opcode_of(word(&line, one), line), .least = strtoul(word(&line, one), NULL, 10)};
    if (!p.least) p.least = 1;
    if (*line) {
        p.by = !strcmp(word(&line, one), "count") ? COUNT : CONTAINS;
        p.marker = rest_of(line);
        if (!p.marker.length) wrong(one, "an empty pattern");
    }
    return p;
}

static void add_payload(struct plan *plan, char *line) {
    struct payload *p = calloc(1, sizeof *p);
    char kind[NAME];
    if (!p) die("out of memory");
    word(&line, p->name);
    word(&line, kind);
    p->is_recorded = !strncmp(kind, "frames-", 7);
    p->opcode = opcode_of(kind + (p->is_recorded ? 7 : 0), line);
    p->text = p->is_recorded ? file_at(line) : rest_of(line);
    p->next = plan->payloads, plan->payloads = p;
}

static struct payload *payload_named(const struct plan *plan, const char *name) {
    for (struct payload *p = plan->payloads; p; p = p->next)
        if (!strcmp(p->name, name)) return p;
    wrong(name, "no such payload");
}

static void add_step(struct script *s, struct step step) {
    struct step *made = malloc(sizeof *made);
    if (!made) die("out of memory");
    *made = step;
    made->next = NULL;
    if (s->last_step) s->last_step->next = made;
    else s->steps = made;
    s->last_step = made;
}

static void add_answer(struct script *s, char *line) {
    char how[NAME];
    word(&line, how);
    char *middle = strstr(line, " send ");
    if (!middle || s->answer_count == AUTOS) wrong(line, "no answer, or too many");
    s->answers[s->answer_count++] =
        (struct answer){!strcmp(how, "equals"), unescaped(line, (size_t)(middle - line)), rest_of(middle + 6)};
}

static void add_header(struct script *s, const char *line) {
    struct text t = rest_of(line);
    s->headers.bytes = realloc(s->headers.bytes, s->headers.length + t.length + 3);
    if (!s->headers.bytes) die("out of memory");
    memcpy(s->headers.bytes + s->headers.length, t.bytes, t.length);
    memcpy(s->headers.bytes + s->headers.length + t.length, "\r\n", 3);
    s->headers.length += t.length + 2;
}

static void begin_script(struct plan *plan, char *line) {
    struct script *s = calloc(1, sizeof *s);
    if (!s) die("out of memory");
    s->path = rest_of(*line ? line : "/");
    s->copies = 1, s->port = plan->port;
    strncpy(s->room, s->path.bytes, NAME - 1);
    if (plan->last_script) plan->last_script->next = s;
    else plan->scripts = s;
    plan->last_script = s;
}

static void script_line(struct plan *plan, struct script *s, const char *key, char *line) {
    char one[NAME];
    if (!strcmp(key, "copies")) s->copies = strtoul(line, NULL, 10);
    else if (!strcmp(key, "port")) s->port = atoi(line);
    else if (!strcmp(key, "header")) add_header(s, line);
    else if (!strcmp(key, "room")) word(&line, s->room);
    else if (!strcmp(key, "group")) s->group = atoi(line) & (GROUPS - 1);
    else if (!strcmp(key, "base")) s->base = strtoull(line, NULL, 10);
    else if (!strcmp(key, "set")) {
        int place = atoi(word(&line, one)) % VARIABLES;
        s->set[place] = rest_of(line);
    } else if (!strcmp(key, "send")) {
        int opcode = opcode_of(word(&line, one), line);
        add_step(s, (struct step){.what = SEND, .opcode = opcode, .text = rest_of(line)});
    } else if (!strcmp(key, "send-file")) {
        int opcode = opcode_of(word(&line, one), line);
        add_step(s, (struct step){.what = SEND, .opcode = opcode, .text = file_at(line)});
    } else if (!strcmp(key, "wait")) {
        int is_frames = !strcmp(word(&line, one), "frames");
        if (is_frames) add_step(s, (struct step){.what = WAIT_FRAMES, .frames = strtoul(line, NULL, 10)});
        else add_step(s, (struct step){.what = WAIT_TEXT, .text = rest_of(line)});
    } else if (!strcmp(key, "auto")) add_answer(s, line);
    else if (!strcmp(key, "every")) {
        s->every_s = strtod(word(&line, one), NULL);
        s->beat = rest_of(line);
    } else if (!strcmp(key, "sends")) s->payload = payload_named(plan, line);
    else if (!strcmp(key, "rate")) s->rate = strtod(line, NULL);
    else if (!strcmp(key, "window")) {
        s->window = strtoul(word(&line, one), NULL, 10);
        s->is_receipted = !strcmp(line, "receipt");
    } else wrong(key, "no such word of a connection");
}

static void plan_line(struct plan *plan, const char *key, char *line) {
    if (!strcmp(key, "port")) plan->port = atoi(line);
    else if (!strcmp(key, "warm")) plan->warm_s = strtod(line, NULL);
    else if (!strcmp(key, "seconds")) plan->seconds = strtod(line, NULL);
    else if (!strcmp(key, "settle")) plan->settle_s = strtod(line, NULL);
    else if (!strcmp(key, "drain")) plan->drain_s = strtod(line, NULL);
    else if (!strcmp(key, "patience")) plan->patience_s = strtod(line, NULL);
    else if (!strcmp(key, "at_once")) plan->at_once = strtoul(line, NULL, 10);
    else if (!strcmp(key, "sample")) plan->sample = strtoull(line, NULL, 10);
    else if (!strcmp(key, "rounds")) plan->rounds = strtoull(line, NULL, 10);
    else if (!strcmp(key, "seed")) plan->seed = strtoull(line, NULL, 10);
    else if (!strcmp(key, "echo")) plan->echo = !strcmp(line, "yes");
    else if (!strcmp(key, "delivery")) plan->delivery = pattern_of(line);
    else if (!strcmp(key, "receipt")) plan->receipt = pattern_of(line);
    else if (!strcmp(key, "payload")) add_payload(plan, line);
    else if (!strcmp(key, "server") && plan->server_count < SERVERS) plan->servers[plan->server_count++] = atoi(line);
    else if (!strcmp(key, "fail") && plan->fail_count < FAILS) plan->fails[plan->fail_count++] = rest_of(line);
    else wrong(key, "no such word, or too many of them");
}

static struct plan plan_of(FILE *file) {
    struct plan plan = {.warm_s = 0.5, .seconds = 3, .settle_s = 0.2, .drain_s = 5, .patience_s = 60, .at_once = 32,
                        .sample = 1, .rounds = 1, .delivery.least = 1};
    char *line = NULL;
    size_t size = 0;
    for (ssize_t n; (n = getline(&line, &size, file)) >= 0;) {
        char key[NAME], *at = line;
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
        if (!*line || *line == '#') continue;
        word(&at, key);
        if (!strcmp(key, "connection")) begin_script(&plan, at);
        else if (plan.last_script) script_line(&plan, plan.last_script, key, at);
        else plan_line(&plan, key, at);
    }
    free(line);
    return plan;
}

#endif
