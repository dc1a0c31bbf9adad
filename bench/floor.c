/* The floor of the bench: the least a server can do that relays operations between the editors of a room.

   floor PORT joined|plain

   Every text or binary message of a client goes to all others in its room (the request target of the upgrade), a
   receipt of three bytes to the sender. It knows nothing of tokens, documents or stores. One thread, epoll, loopback.
   `joined`: what a turn of the loop has for a receiver goes out in one send(); for all who sent nothing it is the same
   bytes. `plain`: one send() a delivery. Prints `listening` when it does. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

enum { EVENTS = 1024, READ = 256 * 1024, NAME = 128 };

struct room;

struct client {
    int fd, is_open, is_dead, sent_in_this_turn;
    struct room *room;
    size_t place;
    struct buffer in, out;
};

/* A frame of this turn: where it ends in the room's bytes, and whose it is. */
struct part {
    struct client *sender;
    size_t end;
};

struct room {
    char name[NAME];
    struct room *next, *next_dirty;
    int is_dirty;
    struct client **clients;
    size_t count, size;
    struct buffer turn;
    struct part *parts;
    size_t part_count, part_size;
};

static struct room *rooms, *dirty;
static struct client **dead;
static size_t dead_count, dead_size;
static int loop, is_plain;
static const uint8_t receipt[] = {0x81, 3, '+', 'o', 'k'};
static uint8_t bytes[READ];

_Noreturn static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *grown(void *array, size_t count, size_t *size, size_t one) {
    if (count < *size) return array;
    *size = *size ? *size * 2 : 16;
    array = realloc(array, *size * one);
    if (!array) die("out of memory");
    return array;
}

static void enter(struct client *c, const char *name, size_t length) {
    if (length >= NAME) length = NAME - 1;
    struct room *r = rooms;
    while (r && (strncmp(r->name, name, length) != 0 || r->name[length])) r = r->next;
    if (!r) {
        r = calloc(1, sizeof *r);
        if (!r) die("out of memory");
        memcpy(r->name, name, length);
        r->next = rooms, rooms = r;
    }
    r->clients = grown(r->clients, r->count, &r->size, sizeof *r->clients);
    c->room = r, c->place = r->count;
    r->clients[r->count++] = c;
}

/* Freed at the end of the turn: its other events and its parts of the turn may still be looked at. */
static void leave(struct client *c) {
    if (c->is_dead) return;
    c->is_dead = 1;
    close(c->fd);
    if (c->room) {
        struct client *last = c->room->clients[--c->room->count];
        c->room->clients[c->place] = last;
        last->place = c->place;
    }
    dead = grown(dead, dead_count, &dead_size, sizeof *dead);
    dead[dead_count++] = c;
}

static void want(struct client *c, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &e);
}

/* Straight to the kernel; only what it does not take is copied and waits. */
static void give(struct client *c, const uint8_t *what, size_t n) {
    if (c->is_dead) return;
    ssize_t taken = 0;
    if (!waiting(&c->out)) {
        taken = send(c->fd, what, n, MSG_NOSIGNAL);
        if (taken < 0) {
            if (errno != EAGAIN) {
                leave(c);
                return;
            }
            taken = 0;
        }
        if ((size_t)taken < n) want(c, EPOLLIN | EPOLLOUT);
    }
    if ((size_t)taken < n) append(&c->out, what + taken, n - (size_t)taken);
}

static void drain(struct client *c) {
    ssize_t taken = send(c->fd, c->out.bytes + c->out.from, waiting(&c->out), MSG_NOSIGNAL);
    if (taken < 0) {
        if (errno != EAGAIN) leave(c);
        return;
    }
    c->out.from += (size_t)taken;
    if (!waiting(&c->out)) want(c, EPOLLIN);
}

static void relay(struct client *c, const struct frame *f) {
    struct room *r = c->room;
    size_t begin = r->turn.to;
    append_head(&r->turn, f->opcode, f->length, NULL);
    apply_mask(room_for(&r->turn, f->length), f->payload, f->length, f->mask);
    r->turn.to += f->length;
    if (is_plain) {
        for (size_t i = r->count; i-- > 0;)
            if (r->clients[i] != c) give(r->clients[i], r->turn.bytes + begin, r->turn.to - begin);
        give(c, receipt, sizeof receipt);
        r->turn.from = r->turn.to = 0;
        return;
    }
    r->parts = grown(r->parts, r->part_count, &r->part_size, sizeof *r->parts);
    r->parts[r->part_count++] = (struct part){c, r->turn.to};
    c->sent_in_this_turn++;
    if (!r->is_dirty) r->is_dirty = 1, r->next_dirty = dirty, dirty = r;
}

/* What others sent, and a receipt for each of its own. */
static void give_sender(struct client *c) {
    static struct buffer own;
    own.from = own.to = 0;
    size_t begin = 0;
    for (size_t i = 0; i < c->room->part_count; begin = c->room->parts[i++].end)
        if (c->room->parts[i].sender != c) append(&own, c->room->turn.bytes + begin, c->room->parts[i].end - begin);
    for (; c->sent_in_this_turn; c->sent_in_this_turn--) append(&own, receipt, sizeof receipt);
    give(c, own.bytes, own.to);
}

static void flush(struct room *r) {
    for (size_t i = r->count; i-- > 0;) {
        struct client *c = r->clients[i];
        if (c->sent_in_this_turn)
            give_sender(c);
        else
            give(c, r->turn.bytes, r->turn.to);
    }
    r->turn.from = r->turn.to = r->part_count = 0;
    r->is_dirty = 0;
}

/* The bytes that were used, 0 while the request is not whole. */
static size_t upgrade(struct client *c, char *request, size_t n) {
    char *end = memmem(request, n, "\r\n\r\n", 4), reply[256], accept[29];
    if (!end) return 0;
    *end = 0;
    char *key = strcasestr(request, "\nSec-WebSocket-Key:"), *path = strchr(request, ' ');
    if (!key || !path) {
        leave(c);
        return 0;
    }
    key += 19;
    key += strspn(key, " ");
    accept_of(key, accept);
    enter(c, path + 1, strcspn(path + 1, " "));
    int length = snprintf(reply, sizeof reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    c->is_open = 1;
    give(c, (uint8_t *)reply, (size_t)length);
    return (size_t)(end + 4 - request);
}

static void answer(struct client *c, const struct frame *f) {
    static struct buffer reply;
    reply.from = reply.to = 0;
    append_head(&reply, f->opcode == PING ? PONG : CLOSE, f->length, NULL);
    apply_mask(room_for(&reply, f->length), f->payload, f->length, f->mask);
    reply.to += f->length;
    give(c, reply.bytes, reply.to);
    if (f->opcode == CLOSE) leave(c);
}

static void hear(struct client *c) {
    size_t kept = waiting(&c->in);
    if (kept > READ / 2) {
        leave(c);
        return;
    }
    if (kept) memcpy(bytes, c->in.bytes + c->in.from, kept);
    ssize_t got = recv(c->fd, bytes + kept, READ - kept, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) leave(c);
        return;
    }
    c->in.from = c->in.to = 0;
    size_t n = kept + (size_t)got, at = 0, used;
    if (!c->is_open) {
        at = upgrade(c, (char *)bytes, n);
        if (!c->is_open && !c->is_dead) append(&c->in, bytes, n);
        if (!c->is_open) return;
    }
    for (struct frame f; !c->is_dead && (used = parse(bytes + at, n - at, &f)); at += used) {
        if (!f.is_masked || !f.is_last) leave(c);
        else if (f.opcode == TEXT || f.opcode == BINARY) relay(c, &f);
        else if (f.opcode == PING || f.opcode == CLOSE) answer(c, &f);
    }
    if (!c->is_dead) append(&c->in, bytes + at, n - at);
}

static void welcome(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct client *c = calloc(1, sizeof *c);
    if (!c) die("out of memory");
    c->fd = fd;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
}

static void bury(void) {
    while (dead_count) {
        struct client *c = dead[--dead_count];
        free(c->in.bytes);
        free(c->out.bytes);
        free(c);
    }
}

static int listen_on(const char *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&to, sizeof to) || listen(fd, 4096)) die("listen");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
    return fd;
}

int main(int count, char **arguments) {
    if (count != 3 || (strcmp(arguments[2], "joined") && strcmp(arguments[2], "plain"))) {
        fprintf(stderr, "usage: floor PORT joined|plain\n");
        return 2;
    }
    is_plain = !strcmp(arguments[2], "plain");
    loop = epoll_create1(0);
    int listener = listen_on(arguments[1]);
    puts("listening");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(loop, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (!c) {
                welcome(listener);
                continue;
            }
            if (!c->is_dead && events[i].events & EPOLLOUT) drain(c);
            if (!c->is_dead && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(c);
        }
        for (; dirty; dirty = dirty->next_dirty) flush(dirty);
        bury();
    }
}
