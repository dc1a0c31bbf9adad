/* The load generator of the bench: plays all editors of a server from one thread, so that the server is the bottleneck.

   generator PLAN > RESULT      a plan file as below (`-`: standard input); the result is one JSON object

   A plan is text, one line each: a word, a space, a value to the end of the line. Blank lines and lines that begin with
   `#` are passed over. In payloads and patterns \n \r \t \\ and \xHH stand for bytes.

   Of the whole run, before the first connection:
     port N                    where to connect on 127.0.0.1 (a connection may name another)
     warm S, seconds S         load that does not count, then load that counts (default 0.5 and 3)
     settle S                  pause between the last one ready and the first operation (default 0.2)
     rounds N                  so many loads one after the other on the same connections, with a result each (default 1)
     drain S                   at most so long waited for what is under way when the load ends (default 5)
     patience S                at most so long until everybody is ready (default 60)
     at_once N                 connections being opened at the same time (default 32)
     server PID                whose user+system time is measured over the seconds that count; may be repeated
     seed N                    of the UUIDs and masks (default: the time)
     echo yes|no               whether senders get their own operations back as deliveries (default no)
     sample N                  one operation in N carries its time of sending (default 1)
     delivery KIND MIN [contains TEXT | count TEXT]
                               what a delivery looks like: KIND text, binary or any; at least MIN bytes; with
                               `contains` one operation a frame that holds TEXT; with `count` as many operations as TEXT
                               stands in the frame (none: no delivery); without either every such frame is one
     receipt KIND MIN [contains TEXT | count TEXT]
                               the same of what tells a sender that its oldest operation under way is done
     fail TEXT                 a frame that is neither of these and holds TEXT is an error; may be repeated
     payload NAME text TEMPLATE
     payload NAME binary TEMPLATE
     payload NAME frames-text PATH, payload NAME frames-binary PATH
                               what a sender sends. In a template %N is the number of the operation of this sender from
                               0 and %M from 1, %S the number of the connection from 0, %U a fresh UUID, %V the
                               operations this sender has seen so far (delivered and receipted) plus its `base`, %T the
                               stamp, %1 to %9 what the connection has `set`, %% a percent sign. A file of frames holds
                               one after the other, each behind its length (4 bytes, big-endian), sent in order; the first
                               sender whose frames are used up ends the load, and `seconds` says how long it was.

   The stamp is 18 bytes: ~T and 16 hexadecimal digits, the time of sending in ns (CLOCK_MONOTONIC), or 16 zeros where
   the operation is no sample. In a recorded frame the bytes ~T0000000000000000 are where it will be written (none: no
   latency). It is looked for in every delivery.

   Of each connection, from a line `connection` to the next:
     connection [PATH]         the request target, such as /room-1 (default /)
     copies N                  so many alike (default 1)
     port N
     header NAME: VALUE        of the upgrade request; may be repeated (Host, Upgrade, Connection, Sec-WebSocket-Key and
                               -Version are there already); write Sec-WebSocket-Protocol here where one is wanted
     room NAME                 whose operations everybody in it gets (default: the path)
     group N                   0 to 7, counted apart in the result (default 0)
     set D TEXT                %D of its payload, D from 1 to 9
     base N                    added to %V
     send text|binary TEXT     the greeting, in this order, after the upgrade
     send-file text|binary PATH
     wait frames N             … before it goes on: so many frames more
     wait contains TEXT        … before it goes on: a frame that holds TEXT (frames before it are passed over)
     auto equals TEXT send REPLY, auto contains TEXT send REPLY
                               a text frame answered with another, all the time (` send ` divides the two)
     every S TEXT              a text frame sent every S seconds
     sends NAME                makes it a sender of the payload NAME
     window N receipt          so many operations under way until their receipts
     window N delivered        … until everybody else in the room has them (counted for the room: N times its senders)
     rate R                    instead of a window: operations a second, evenly, whatever comes back

   Pings are answered. Whoever has come to the end of its greeting is ready; the load begins when all are.

   The result: seconds; sent, receipts, deliveries (operations), frames and bytes received while it counted; the same
   three with _total from the first operation to the end of draining, expected_total (sent_total times the others in the
   room) and missing; delivery_ms and receipt_ms {count, p50, p90, p99, p999, max}; groups [{deliveries, delivery_ms}];
   late_ms (how late a rate's operations left); cpu_s and cpu_share of this program, server_cpu_s and server_cpu_share
   (a sum; 1.0 is one core); bottleneck (this program was busy and the server was not); errors, first_errors, lost
   (connections), others (frames that were none of these); ready_s. One line for each round. Where the run could not be made: {"error": "…"},
   and the exit status is 1. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#include "histogram.h"
#include "plan.h"
#include "wire.h"

enum { EVENTS = 512, READ = 256 * 1024, LARGEST = 16 * 1024 * 1024, STAMP = 18, SHOWN = 5, PLACES = 4 };

struct room;

struct editor {
    int fd, is_writing, is_dirty;
    enum { CLOSED, CONNECTING, UPGRADING, GREETING, READY, LOST } state;
    size_t number;
    const struct script *script;
    const struct step *step;
    size_t frames_left;
    struct room *room;
    struct buffer in, out;
    char accept[29];
    uint8_t mask[4];
    uint64_t sent, seen, due, beat_due;
    size_t recorded_at; /* in its file of frames */
    uint64_t *times;    /* when what is under way was sent: a ring */
    size_t time_first, time_count, time_size;
    struct editor *next_dirty;
};

struct room {
    char name[NAME];
    struct room *next, *next_dirty;
    int is_dirty;
    struct editor **senders;
    size_t members, sender_count, turn;
    uint64_t sent, delivered;
};

struct counts {
    uint64_t sent, receipts, deliveries, frames, bytes, groups[GROUPS];
    double cpu_s, servers_s[SERVERS];
};

static struct plan plan;
static struct editor *editors, *dirty_editors, **rated, **beating;
static size_t editor_count, opened, ready, rated_count, beating_count;
static struct room *rooms, *dirty_rooms;
static int loop, timer;
static enum { CONNECT, SETTLE, LOAD, DRAIN, OVER } phase;
static uint64_t begun, ready_at, joined_at, load_at, count_from, count_to, drain_to, armed;
static int is_counting, is_used_up;
static struct counts total, from, to;
static struct histogram delivered_in, receipted_in, late, groups[GROUPS];
static uint64_t errors, lost, others;
static char shown[SHOWN][400];
static uint8_t *bytes;
static uint64_t chance;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t ns(double seconds) { return (uint64_t)(seconds * 1e9); }

static uint64_t chosen(void) { /* xorshift64* */
    chance ^= chance >> 12, chance ^= chance << 25, chance ^= chance >> 27;
    return chance * 2685821657736338717u;
}

static void print_text(const char *text, size_t n) {
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 32 || c > 126) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

_Noreturn static void fatal(const char *format, ...) {
    char text[600];
    va_list rest;
    va_start(rest, format);
    vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
    printf("{\"error\": ");
    print_text(text, strlen(text));
    puts("}");
    exit(1);
}

_Noreturn static void die(const char *what) { fatal("%s: %s", what, strerror(errno)); }
_Noreturn static void wrong(const char *line, const char *why) { fatal("%s: %.200s", why, line); }

static void fault(const struct editor *e, const char *what, const void *text, size_t n) {
    if (errors < SHOWN)
        snprintf(shown[errors], sizeof shown[0], "%s (connection %zu): %.*s", what, e->number, (int)(n < 300 ? n : 300),
                 (const char *)text);
    errors++;
}

// connections --------------------------------------------------------------------------------------------------------

static void want(struct editor *e, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = e};
    epoll_ctl(loop, EPOLL_CTL_MOD, e->fd, &event);
}

static void lose(struct editor *e, const char *why, const void *text, size_t n) {
    if (e->state == LOST) return;
    if (phase < LOAD) fatal("connection %zu (%.100s): %s %.*s", e->number, e->script->path.bytes, why,
                            (int)(n < 300 ? n : 300), (const char *)text);
    if (phase < OVER) {
        fault(e, why, text, n);
        lost++;
    }
    close(e->fd);
    e->state = LOST;
}

static void flush(struct editor *e) {
    while (e->state != LOST && waiting(&e->out)) {
        ssize_t n = send(e->fd, e->out.bytes + e->out.from, waiting(&e->out), MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) lose(e, "lost", strerror(errno), strlen(strerror(errno)));
        if (n <= 0) break;
        e->out.from += (size_t)n;
    }
    int is_writing = waiting(&e->out) > 0;
    if (e->state != LOST && is_writing != e->is_writing)
        want(e, EPOLLIN | (is_writing ? EPOLLOUT : 0));
    e->is_writing = is_writing;
}

/* Sent when the turn of the loop ends, with whatever else there is by then. */
static void later(struct editor *e) {
    if (e->is_dirty) return;
    e->is_dirty = 1, e->next_dirty = dirty_editors, dirty_editors = e;
}

static void put(struct editor *e, int opcode, const void *payload, size_t n) {
    append_head(&e->out, opcode, n, e->mask);
    apply_mask(room_for(&e->out, n), payload, n, e->mask);
    e->out.to += n;
    later(e);
}

static void begin(struct editor *e) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)e->script->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    e->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (e->fd < 0) die("socket");
    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(e->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = e};
    epoll_ctl(loop, EPOLL_CTL_ADD, e->fd, &event);
    e->state = CONNECTING;
}

static void ask(struct editor *e) {
    int error = 0;
    uint64_t chance_of_key[2] = {chosen(), chosen()};
    char key[25], head[512];
    getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    if (error) lose(e, "no connection", strerror(error), strlen(strerror(error)));
    base64((uint8_t *)chance_of_key, 16, key);
    accept_of(key, e->accept);
    append(&e->out, "GET ", 4);
    append(&e->out, e->script->path.bytes, e->script->path.length);
    int n = snprintf(head, sizeof head, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", e->script->port, key);
    append(&e->out, head, (size_t)n);
    append(&e->out, e->script->headers.bytes, e->script->headers.length);
    append(&e->out, "\r\n", 2);
    e->state = UPGRADING;
    e->is_writing = 1;
    flush(e);
    want(e, EPOLLIN | (e->is_writing ? EPOLLOUT : 0));
}

/* As far into the greeting as it goes without hearing more. */
static void greet(struct editor *e) {
    for (; e->step && e->step->what == SEND; e->step = e->step->next)
        put(e, e->step->opcode, e->step->text.bytes, e->step->text.length);
    if (e->step) {
        if (e->step->what == WAIT_FRAMES) e->frames_left = e->step->frames;
        return;
    }
    e->state = READY;
    ready++;
    if (opened < editor_count) begin(&editors[opened++]);
}

/* Bytes of the answer to the upgrade, 0 where it is not whole. */
static size_t upgraded(struct editor *e, uint8_t *answer, size_t n) {
    uint8_t *end = memmem(answer, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (n < 12 || memcmp(answer + 8, " 101", 4)) lose(e, "no upgrade:", answer, n);
    if (!memmem(answer, (size_t)(end - answer), e->accept, 28)) lose(e, "a wrong Sec-WebSocket-Accept:", answer, n);
    e->state = GREETING;
    e->step = e->script->steps;
    greet(e);
    return (size_t)(end + 4 - answer);
}

// operations ---------------------------------------------------------------------------------------------------------

static void write_stamp(char *at, uint64_t time) {
    static const char digits[] = "0123456789abcdef";
    *at++ = '~', *at++ = 'T';
    for (int i = 15; i >= 0; i--, time >>= 4) at[i] = digits[time & 15];
}

static void append_uuid(struct buffer *b) {
    static const char digits[] = "0123456789abcdef";
    uint64_t half[2] = {chosen(), chosen()};
    char text[36];
    for (int i = 0, k = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            text[i] = '-';
            continue;
        }
        text[i] = digits[half[k / 16] >> (k % 16 * 4) & 15];
        k++;
    }
    text[14] = '4';
    text[19] = "89ab"[half[1] & 3];
    append(b, text, 36);
}

static void fill(struct buffer *b, const struct editor *e, const struct text *template, uint64_t time) {
    const char *at = template->bytes, *end = at + template->length;
    while (at < end) {
        const char *mark = memchr(at, '%', (size_t)(end - at));
        if (!mark || mark + 1 == end) mark = end;
        append(b, at, (size_t)(mark - at));
        if (mark == end) return;
        char what = mark[1], number[24];
        at = mark + 2;
        uint64_t value = what == 'N' ? e->sent : what == 'M' ? e->sent + 1 : what == 'S' ? e->number
                         : e->script->base + e->seen;
        if (what == 'N' || what == 'M' || what == 'S' || what == 'V')
            append(b, number, (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)value));
        else if (what == 'U') append_uuid(b);
        else if (what == 'T') {
            char stamp[STAMP];
            write_stamp(stamp, time);
            append(b, stamp, STAMP);
        } else if (what >= '1' && what <= '9') append(b, e->script->set[what - '0'].bytes, e->script->set[what - '0'].length);
        else append(b, &what, 1);
    }
}

/* Whether there was one more. */
static int fill_recorded(struct buffer *b, struct editor *e, uint64_t time) {
    const struct text *file = &e->script->payload->text;
    if (e->recorded_at + 4 > file->length) return 0;
    const uint8_t *at = (const uint8_t *)file->bytes + e->recorded_at;
    size_t n = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    if (e->recorded_at + 4 + n > file->length) return 0;
    append(b, at + 4, n);
    e->recorded_at += 4 + n;
    char *stamp = memmem(b->bytes, n, "~T0000000000000000", STAMP);
    if (stamp) write_stamp(stamp, time);
    return 1;
}

static void remember(struct editor *e, uint64_t time) {
    if (e->time_count == e->time_size) {
        size_t size = e->time_size ? e->time_size * 2 : 64;
        uint64_t *times = malloc(size * sizeof *times);
        if (!times) die("out of memory");
        for (size_t i = 0; i < e->time_count; i++) times[i] = e->times[(e->time_first + i) % e->time_size];
        free(e->times);
        e->times = times, e->time_size = size, e->time_first = 0;
    }
    e->times[(e->time_first + e->time_count++) % e->time_size] = time;
}

static void operate(struct editor *e) {
    static struct buffer one;
    one.from = one.to = 0;
    uint64_t time = now_ns(), stamp = total.sent % plan.sample ? 0 : time;
    if (!e->script->payload->is_recorded) fill(&one, e, &e->script->payload->text, stamp);
    else if (!fill_recorded(&one, e, stamp)) {
        is_used_up = 1;
        return;
    }
    put(e, e->script->payload->opcode, one.bytes, one.to);
    if (plan.receipt.least) remember(e, time);
    e->sent++, e->room->sent++, total.sent++;
}

static int is_loading(void) { return phase == LOAD && !is_used_up; }

static size_t listeners_of(const struct room *r) { return r->members - (plan.echo ? 0 : 1); }

static void refill_editor(struct editor *e) {
    while (is_loading() && e->state == READY && e->time_count < e->script->window) operate(e);
}

/* Its senders take turns while less is under way than their windows allow together. */
static void refill_room(struct room *r) {
    uint64_t each = listeners_of(r);
    for (size_t absent = 0; is_loading() && each && absent < r->sender_count;) {
        struct editor *e = r->senders[r->turn % r->sender_count];
        if (r->sent * each >= r->delivered + e->script->window * r->sender_count * each) return;
        r->turn++;
        if (e->state != READY) absent++;
        else operate(e);
    }
}

static void room_later(struct room *r) {
    if (r->is_dirty) return;
    r->is_dirty = 1, r->next_dirty = dirty_rooms, dirty_rooms = r;
}

// what comes back ----------------------------------------------------------------------------------------------------

static uint64_t matched(const struct pattern *p, const struct frame *f) {
    if (!p->least || f->length < p->least || (p->kind && f->opcode != p->kind)) return 0;
    if (p->by == EVERY) return 1;
    const uint8_t *at = memmem(f->payload, f->length, p->marker.bytes, p->marker.length), *end = f->payload + f->length;
    if (!at || p->by == CONTAINS) return at != NULL;
    uint64_t n = 0;
    for (; at; at = memmem(at, (size_t)(end - at), p->marker.bytes, p->marker.length)) n++, at += p->marker.length;
    return n;
}

/* The next stamp from `at`: mostly where one of the last frames had it. */
static const uint8_t *stamp_in(const struct frame *f, const uint8_t *at) {
    static size_t places[PLACES], last;
    const uint8_t *end = f->payload + f->length;
    if (at == f->payload) {
        for (int i = 0; i < PLACES; i++) {
            const uint8_t *here = at + places[i];
            if (places[i] + STAMP <= f->length && here[0] == '~' && here[1] == 'T') return here;
        }
    }
    const uint8_t *found = memmem(at, (size_t)(end - at), "~T", 2);
    if (!found || found + STAMP > end) return NULL;
    if (at == f->payload) places[last++ % PLACES] = (size_t)(found - at);
    return found;
}

static uint64_t time_of(const uint8_t *stamp) {
    uint64_t time = 0;
    if (!memcmp(stamp + 2, "0000000000000000", 16)) return 0;
    for (int i = 2; i < STAMP; i++) time = time << 4 | (uint64_t)((stamp[i] & 15) + (stamp[i] > '9' ? 9 : 0));
    return time;
}

static int counts_at(uint64_t time) { return time && count_from && time >= count_from && (!count_to || time < count_to); }

static void delivered(struct editor *e, const struct frame *f, uint64_t n, uint64_t now) {
    total.deliveries += n, total.groups[e->script->group] += n;
    e->seen += n, e->room->delivered += n;
    room_later(e->room);
    const uint8_t *stamp = f->payload;
    for (uint64_t i = 0; i < n && (stamp = stamp_in(f, stamp)); i++, stamp += STAMP) {
        uint64_t time = time_of(stamp);
        if (!counts_at(time)) continue;
        record(&delivered_in, now - time);
        record(&groups[e->script->group], now - time);
    }
}

static void receipted(struct editor *e, uint64_t n, uint64_t now) {
    total.receipts += n, e->seen += n;
    for (; n && e->time_count; n--, e->time_count--) {
        uint64_t time = e->times[e->time_first];
        e->time_first = (e->time_first + 1) % e->time_size;
        if (counts_at(time)) record(&receipted_in, now - time);
    }
    if (e->script->is_receipted) refill_editor(e);
}

static int is_answered(struct editor *e, const struct frame *f) {
    for (int i = 0; i < e->script->answer_count; i++) {
        const struct answer *a = &e->script->answers[i];
        if (f->length < a->heard.length || (a->is_equal && f->length != a->heard.length)) continue;
        if (memmem(f->payload, f->length, a->heard.bytes, a->heard.length)) {
            put(e, TEXT, a->reply.bytes, a->reply.length);
            return 1;
        }
    }
    return 0;
}

static int is_failure(struct editor *e, const struct frame *f) {
    for (int i = 0; i < plan.fail_count; i++)
        if (memmem(f->payload, f->length, plan.fails[i].bytes, plan.fails[i].length)) {
            if (phase < LOAD) fatal("connection %zu was told: %.*s", e->number, (int)(f->length < 400 ? f->length : 400),
                                    (const char *)f->payload);
            fault(e, "told", f->payload, f->length);
            return 1;
        }
    return 0;
}

static void heard_in_greeting(struct editor *e, const struct frame *f) {
    if (is_answered(e, f) || is_failure(e, f)) return;
    const struct step *s = e->step;
    if (s->what == WAIT_FRAMES && --e->frames_left) return;
    if (s->what == WAIT_TEXT && !memmem(f->payload, f->length, s->text.bytes, s->text.length)) return;
    e->step = s->next;
    greet(e);
}

static void heard(struct editor *e, const struct frame *f, uint64_t now) {
    if (f->opcode == PING) put(e, PONG, f->payload, f->length);
    if (f->opcode == CLOSE) {
        char why[160];
        int code = f->length > 1 ? f->payload[0] << 8 | f->payload[1] : 1005;
        int n = snprintf(why, sizeof why, "%d %.*s", code, (int)(f->length > 2 ? f->length - 2 : 0), (char *)f->payload + 2);
        lose(e, "closed", why, (size_t)n);
    }
    if (f->opcode >= CLOSE) return;
    total.frames++;
    uint64_t n;
    if (e->state == GREETING) heard_in_greeting(e, f);
    else if ((n = matched(&plan.delivery, f))) delivered(e, f, n, now);
    else if ((n = matched(&plan.receipt, f))) receipted(e, n, now);
    else if (!is_answered(e, f) && !is_failure(e, f)) others++;
}

static void hear(struct editor *e) {
    size_t kept = waiting(&e->in), size = kept + READ;
    if (size > LARGEST) fatal("a frame of more than %d bytes", LARGEST - READ);
    if (kept) memcpy(bytes, e->in.bytes + e->in.from, kept);
    e->in.from = e->in.to = 0;
    ssize_t got = recv(e->fd, bytes + kept, READ, 0);
    if (got == 0) lose(e, "lost: end of stream", bytes, kept);
    if (got < 0 && errno != EAGAIN) lose(e, "lost:", strerror(errno), strlen(strerror(errno)));
    if (got < 0 || e->state == LOST) got = 0;
    total.bytes += (uint64_t)got;
    size_t n = kept + (size_t)got, at = 0, used;
    if (e->state == UPGRADING) at = upgraded(e, bytes, n);
    uint64_t now = now_ns();
    if (e->state == GREETING || e->state == READY)
        for (struct frame f; e->state != LOST && (used = parse(bytes + at, n - at, &f)); at += used) heard(e, &f, now);
    append(&e->in, bytes + at, n - at);
}

// the run ------------------------------------------------------------------------------------------------------------

/* User and system time of all threads of a process, ended ones too, to the nanosecond. */
static double cpu_of(int pid) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return 0;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct counts counted(void) {
    struct counts c = total;
    c.cpu_s = cpu_of(getpid());
    for (int i = 0; i < plan.server_count; i++) c.servers_s[i] = cpu_of(plan.servers[i]);
    return c;
}

static uint64_t expected(void) {
    uint64_t n = 0;
    for (struct room *r = rooms; r; r = r->next) n += r->sent * listeners_of(r);
    return n;
}

static int is_all_back(void) {
    return total.deliveries >= expected() && (!plan.receipt.least || total.receipts >= total.sent);
}

static void begin_load(uint64_t now) {
    phase = LOAD, load_at = now;
    for (size_t i = 0; i < rated_count; i++)
        rated[i]->due = now + ns((double)i / (double)rated_count / rated[i]->script->rate);
    for (size_t i = 0; i < beating_count; i++) beating[i]->beat_due = now + ns(beating[i]->script->every_s);
    for (struct room *r = rooms; r; r = r->next)
        if (r->sender_count && !r->senders[0]->script->is_receipted && r->senders[0]->script->window) room_later(r);
    for (size_t i = 0; i < editor_count; i++)
        if (editors[i].script->payload && editors[i].script->is_receipted) refill_editor(&editors[i]);
}

static void advance(uint64_t now) {
    if (phase == CONNECT && ready == editor_count) phase = SETTLE, ready_at = joined_at = now;
    if (phase == CONNECT && now > begun + ns(plan.patience_s)) fatal("only %zu of %zu are ready", ready, editor_count);
    if (phase == SETTLE && now >= ready_at + ns(plan.settle_s)) begin_load(now);
    if (phase == LOAD && !is_counting && now >= load_at + ns(plan.warm_s)) {
        is_counting = 1;
        from = counted();
        count_from = now_ns();
    }
    if (phase == LOAD && is_used_up && !is_counting) fatal("the recorded frames are used up before it counts");
    if (phase == LOAD && ((is_counting && now >= count_from + ns(plan.seconds)) || is_used_up)) {
        to = counted();
        count_to = now_ns();
        phase = DRAIN, drain_to = count_to + ns(plan.drain_s);
    }
    if (phase == DRAIN && (now >= drain_to || is_all_back())) phase = OVER;
}

static uint64_t play_rates(uint64_t now, uint64_t next) {
    if (!is_loading()) return next;
    for (size_t i = 0; i < rated_count; i++) {
        struct editor *e = rated[i];
        for (; e->state == READY && e->due <= now && is_loading(); e->due += ns(1 / e->script->rate)) {
            if (is_counting) record(&late, now_ns() - e->due);
            operate(e);
        }
        if (e->state == READY && e->due < next) next = e->due;
    }
    return next;
}

static uint64_t play_beats(uint64_t now, uint64_t next) {
    for (size_t i = 0; i < beating_count && phase >= LOAD; i++) {
        struct editor *e = beating[i];
        if (e->state != READY) continue;
        if (e->beat_due <= now) {
            put(e, TEXT, e->script->beat.bytes, e->script->beat.length);
            e->beat_due += ns(e->script->every_s);
        }
        if (e->beat_due < next) next = e->beat_due;
    }
    return next;
}

static void arm(uint64_t at) {
    if (at == armed) return;
    struct itimerspec t = {.it_value = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
    armed = at;
}

static void turn(void) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(loop, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
        struct editor *e = events[i].data.ptr;
        uint64_t expirations;
        if (!e) {
            if (read(timer, &expirations, sizeof expirations) > 0) armed = 0;
            continue;
        }
        if (e->state == LOST) continue;
        if (e->state == CONNECTING) ask(e);
        else if (events[i].events & EPOLLOUT) flush(e);
        if (e->state != LOST && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(e);
    }
    uint64_t now = now_ns();
    advance(now);
    uint64_t next = now + ns(0.01);
    next = play_rates(now, next);
    next = play_beats(now, next);
    struct room *r = dirty_rooms;
    for (dirty_rooms = NULL; r; r = r->next_dirty) {
        r->is_dirty = 0;
        if (r->sender_count && !r->senders[0]->script->is_receipted && r->senders[0]->script->window) refill_room(r);
    }
    while (dirty_editors) {
        struct editor *e = dirty_editors;
        dirty_editors = e->next_dirty;
        e->is_dirty = 0;
        flush(e);
    }
    arm(next);
}

static struct room *room_named(const char *name) {
    static struct room *last;
    if (last && !strcmp(last->name, name)) return last;
    for (last = rooms; last; last = last->next)
        if (!strcmp(last->name, name)) return last;
    last = calloc(1, sizeof *last);
    if (!last) die("out of memory");
    strcpy(last->name, name);
    last->next = rooms, rooms = last;
    return last;
}

static void cast_editor(struct editor *e, const struct script *s) {
    uint64_t mask = chosen() | 0x01010101;
    e->script = s, e->number = (size_t)(e - editors), e->room = room_named(s->room);
    memcpy(e->mask, &mask, 4);
    e->room->members++;
    if (s->every_s > 0) beating[beating_count++] = e;
    if (!s->payload) return;
    if (s->rate > 0) rated[rated_count++] = e;
    e->room->senders = realloc(e->room->senders, (e->room->sender_count + 1) * sizeof *e->room->senders);
    if (!e->room->senders) die("out of memory");
    e->room->senders[e->room->sender_count++] = e;
}

static void cast(void) {
    for (struct script *s = plan.scripts; s; s = s->next) editor_count += s->copies;
    editors = calloc(editor_count + 1, sizeof *editors);
    rated = calloc(editor_count + 1, sizeof *rated);
    beating = calloc(editor_count + 1, sizeof *beating);
    if (!editors || !rated || !beating || !editor_count) wrong("connection", "nobody to play");
    struct editor *e = editors;
    for (struct script *s = plan.scripts; s; s = s->next)
        for (size_t i = 0; i < s->copies; i++) cast_editor(e++, s);
}

// the result ---------------------------------------------------------------------------------------------------------

static void print_counts(const char *suffix, const struct counts *a, const struct counts *b) {
    printf("\"sent%s\": %llu, \"receipts%s\": %llu, \"deliveries%s\": %llu, ", suffix,
           (unsigned long long)(b->sent - a->sent), suffix, (unsigned long long)(b->receipts - a->receipts), suffix,
           (unsigned long long)(b->deliveries - a->deliveries));
}

static void print_result(void) {
    static const struct counts nothing;
    double seconds = (double)(count_to - count_from) / 1e9, cpu_s = to.cpu_s - from.cpu_s, server_s = 0;
    printf("{\"seconds\": %.6f, ", seconds);
    print_counts("", &from, &to);
    print_counts("_total", &nothing, &total);
    printf("\"frames\": %llu, \"bytes\": %llu, \"expected_total\": %llu, \"missing\": %lld, ",
           (unsigned long long)(to.frames - from.frames), (unsigned long long)(to.bytes - from.bytes),
           (unsigned long long)expected(), (long long)(expected() - total.deliveries));
    print_histogram("delivery_ms", &delivered_in);
    printf(", ");
    print_histogram("receipt_ms", &receipted_in);
    printf(", ");
    print_histogram("late_ms", &late);
    printf(", \"groups\": [");
    for (int i = 0; i < GROUPS; i++) {
        printf("%s{\"deliveries\": %llu, ", i ? ", " : "", (unsigned long long)(to.groups[i] - from.groups[i]));
        print_histogram("delivery_ms", &groups[i]);
        printf("}");
    }
    printf("], \"server_cpu_s\": [");
    for (int i = 0; i < plan.server_count; i++) {
        double one = to.servers_s[i] - from.servers_s[i];
        printf("%s%.6f", i ? ", " : "", one);
        server_s += one;
    }
    printf("], \"server_cpu_share\": %.4f, \"cpu_s\": %.4f, \"cpu_share\": %.4f, \"bottleneck\": %s, ", server_s / seconds,
           cpu_s, cpu_s / seconds, cpu_s / seconds > 0.9 && server_s / seconds < 0.9 ? "true" : "false");
    printf("\"errors\": %llu, \"lost\": %llu, \"others\": %llu, \"ready_s\": %.3f, \"first_errors\": [",
           (unsigned long long)errors, (unsigned long long)lost, (unsigned long long)others,
           (double)(joined_at - begun) / 1e9);
    for (uint64_t i = 0; i < errors && i < SHOWN; i++) {
        if (i) printf(", ");
        print_text(shown[i], strlen(shown[i]));
    }
    puts("]}");
}

/* Totals go on; what is counted, does not. */
static void begin_again(void) {
    delivered_in = receipted_in = late = (struct histogram){0};
    memset(groups, 0, sizeof groups);
    count_from = count_to = 0;
    is_counting = is_used_up = 0;
    phase = SETTLE, ready_at = now_ns();
}

static void take_leave(void) {
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 255};
    for (size_t i = 0; i < editor_count; i++) {
        if (editors[i].state == LOST) continue;
        put(&editors[i], CLOSE, normal, sizeof normal);
        flush(&editors[i]);
    }
}

int main(int count, char **arguments) {
    FILE *file = count == 2 ? strcmp(arguments[1], "-") ? fopen(arguments[1], "r") : stdin : NULL;
    if (!file) fatal("usage: generator PLAN");
    plan = plan_of(file);
    if (!plan.sample) plan.sample = 1;
    chance = (plan.seed ? plan.seed : now_ns()) * 2654435769u + 1;
    for (int i = 0; i < 8; i++) chosen();
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    bytes = malloc(LARGEST);
    if (!bytes) die("out of memory");
    cast();
    loop = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event);
    begun = now_ns();
    while (opened < editor_count && opened < plan.at_once) begin(&editors[opened++]);
    arm(begun + ns(0.01));
    for (uint64_t round = 0; round < plan.rounds; round++) {
        if (round) begin_again();
        while (phase != OVER) turn();
        print_result();
    }
    take_leave();
    return 0;
}
