/* Durations by their size: 64 steps to each power of two, so that a percentile is true to 1.6 %. */

#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { STEPS = 64, POWERS = 40 };

struct histogram {
    uint64_t counts[STEPS * POWERS], count, longest;
};

static void record(struct histogram *h, uint64_t ns) {
    uint64_t place = ns;
    if (ns >= STEPS) {
        int power = 63 - __builtin_clzll(ns);
        place = (uint64_t)(power - 5) * STEPS + (ns >> (power - 6)) - STEPS;
    }
    if (place >= STEPS * POWERS) place = STEPS * POWERS - 1;
    h->counts[place]++;
    h->count++;
    if (ns > h->longest) h->longest = ns;
}

/* The upper end of its step. */
static double percentile_ms(const struct histogram *h, double share) {
    uint64_t seen = 0, rank = (uint64_t)(share * (double)h->count);
    for (uint64_t place = 0; place < STEPS * POWERS; place++) {
        seen += h->counts[place];
        if (seen <= rank || !seen) continue;
        uint64_t power = place / STEPS, ns = power ? (place % STEPS + STEPS + 1) << (power - 1) : place + 1;
        return (double)(ns < h->longest ? ns : h->longest) / 1e6;
    }
    return (double)h->longest / 1e6;
}

static void print_histogram(const char *name, const struct histogram *h) {
    if (!h->count) {
        printf("\"%s\": null", name);
        return;
    }
    printf("\"%s\": {\"count\": %llu, \"p50\": %.4f, \"p90\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"max\": %.4f}", name,
           (unsigned long long)h->count, percentile_ms(h, 0.5), percentile_ms(h, 0.9), percentile_ms(h, 0.99),
           percentile_ms(h, 0.999), (double)h->longest / 1e6);
}

#endif
