/* What both C programs of the bench know of WebSocket (RFC 6455): the handshake's key, frames, and growing buffers. */

#ifndef WIRE_H
#define WIRE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

_Noreturn static void die(const char *what);

/* Bytes that wait, from `from` to `to`. */
struct buffer {
    uint8_t *bytes;
    size_t from, to, size;
};

static size_t waiting(const struct buffer *b) { return b->to - b->from; }

/* Room for `n` bytes more; what was taken from the front is given back first. */
static uint8_t *room_for(struct buffer *b, size_t n) {
    if (b->from == b->to) b->from = b->to = 0;
    if (b->to + n > b->size) {
        if (b->from) {
            memmove(b->bytes, b->bytes + b->from, b->to - b->from);
            b->to -= b->from;
            b->from = 0;
        }
        if (b->to + n > b->size) {
            b->size = (b->to + n) * 2;
            b->bytes = realloc(b->bytes, b->size);
            if (!b->bytes) die("out of memory");
        }
    }
    return b->bytes + b->to;
}

static void append(struct buffer *b, const void *bytes, size_t n) {
    if (!n) return;
    memcpy(room_for(b, n), bytes, n);
    b->to += n;
}

/* FIPS 180-4. */
static void sha1(const uint8_t *text, size_t n, uint8_t out[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    size_t blocks = (n + 8) / 64 + 1;
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80];
        for (size_t i = 0; i < 16; i++) {
            w[i] = 0;
            for (size_t at = block * 64 + i * 4, k = 0; k < 4; k++, at++)
                w[i] = w[i] << 8 | (at < n ? text[at] : at == n ? 0x80 : 0);
        }
        if (block == blocks - 1) {
            w[14] = (uint32_t)((uint64_t)n * 8 >> 32);
            w[15] = (uint32_t)(n * 8);
        }
        for (size_t i = 16; i < 80; i++) {
            uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = x << 1 | x >> 31;
        }
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5A827999
                       : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t next = (a << 5 | a >> 27) + f + e + w[i];
            e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

static void base64(const uint8_t *in, size_t n, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)in[i] << 16 | (i + 1 < n ? in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        for (int k = 0; k < 4; k++) *out++ = i + (size_t)k > n ? '=' : digits[three >> (18 - k * 6) & 63];
    }
    *out = 0;
}

/* The answer to a Sec-WebSocket-Key of 24 characters (RFC 6455, 4.2.2): 28 characters. */
static void accept_of(const char *key, char out[29]) {
    char text[61];
    uint8_t digest[20];
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1((const uint8_t *)text, strlen(text), digest);
    base64(digest, 20, out);
}

struct frame {
    int opcode, is_last, is_masked;
    uint8_t mask[4];
    uint8_t *payload;
    size_t length;
};

/* Bytes of the frame that begins at `at`, 0 where not all of it is here yet. */
static size_t parse(uint8_t *at, size_t n, struct frame *f) {
    if (n < 2) return 0;
    size_t head = 2, length = at[1] & 127;
    if (length == 126) {
        if (n < 4) return 0;
        length = (size_t)at[2] << 8 | at[3], head = 4;
    } else if (length == 127) {
        if (n < 10) return 0;
        length = 0, head = 10;
        for (int i = 2; i < 10; i++) length = length << 8 | at[i];
    }
    f->opcode = at[0] & 15, f->is_last = at[0] >> 7, f->is_masked = at[1] >> 7;
    if (f->is_masked) {
        if (n < head + 4) return 0;
        memcpy(f->mask, at + head, 4);
        head += 4;
    }
    if (length > n - head) return 0;
    f->payload = at + head, f->length = length;
    return head + length;
}

static void apply_mask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t mask[4]) {
    uint64_t wide, eight;
    memcpy(&wide, mask, 4);
    memcpy((uint8_t *)&wide + 4, mask, 4);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&eight, from + i, 8);
        eight ^= wide;
        memcpy(to + i, &eight, 8);
    }
    for (; i < n; i++) to[i] = from[i] ^ mask[i & 3];
}

/* Appends the head of a whole frame; the caller appends the payload (behind the mask, where there is one). */
static void append_head(struct buffer *b, int opcode, size_t length, const uint8_t *mask) {
    uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
    size_t n = 2;
    uint8_t masked = mask ? 0x80 : 0;
    if (length < 126) {
        head[1] = (uint8_t)length;
    } else if (length < 65536) {
        head[1] = 126, head[2] = (uint8_t)(length >> 8), head[3] = (uint8_t)length, n = 4;
    } else {
        head[1] = 127, n = 10;
        for (int i = 0; i < 8; i++) head[2 + i] = (uint8_t)(length >> (56 - 8 * i));
    }
    head[1] |= masked;
    if (mask) {
        memcpy(head + n, mask, 4);
        n += 4;
    }
    append(b, head, n);
}

#endif
