/* Latencies in buckets of 1.6 % width: 64 for every power of two (the layout of HDR histograms), up to 2^40
 * ns. Counting is one increment. Used by the bench programs; one writer, readers see each bucket whole. */
#ifndef MOONX_BENCH_HISTOGRAM_H
#define MOONX_BENCH_HISTOGRAM_H

#include "common/base.h"

#include <stdio.h>

#define HISTOGRAM_BITS    6
#define HISTOGRAM_HALF    (1u << HISTOGRAM_BITS)
#define HISTOGRAM_BUCKETS ((40 - HISTOGRAM_BITS + 1) * HISTOGRAM_HALF)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_index(uint64_t value) {
    const uint64_t most = (1ull << 40) - 1;
    value = value < most ? value : most;
    if (value < HISTOGRAM_HALF) {
        return (unsigned)value;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (shift + 1) * HISTOGRAM_HALF + (unsigned)(value >> shift) - HISTOGRAM_HALF;
}

static inline uint64_t histogram_value(unsigned index) {
    if (index < HISTOGRAM_HALF) {
        return index;
    }
    unsigned shift = index / HISTOGRAM_HALF - 1;
    uint64_t low = (uint64_t)(index % HISTOGRAM_HALF + HISTOGRAM_HALF) << shift;
    return low + ((1ull << shift) >> 1); /* the middle of the bucket */
}

static inline void histogram_count(struct histogram *histogram, uint64_t value) {
    histogram->counts[histogram_index(value)]++;
}

static inline uint64_t histogram_total(const struct histogram *histogram) {
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += histogram->counts[i];
    }
    return total;
}

/* The value below which `share` (0 … 1) of all lie; 0 when there is none. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share) {
    double wanted = share * (double)histogram_total(histogram);
    uint64_t seen = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        last = histogram->counts[i] > 0 ? i : last;
        if (seen > 0 && (double)seen >= wanted) {
            return histogram_value(i);
        }
    }
    return histogram_value(last);
}

/* {"count":…,"p50":…,"p99":…,"p999":…,"max":…} in microseconds. */
static inline void histogram_print(FILE *out, const struct histogram *histogram) {
    fprintf(out, "{\"count\":%llu", (unsigned long long)histogram_total(histogram));
    static const struct {
        const char *name;
        double share;
    } shares[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}};
    for (unsigned i = 0; i < ARRAY_LENGTH(shares); i++) {
        fprintf(out, ",\"%s\":%.1f", shares[i].name,
                (double)histogram_quantile(histogram, shares[i].share) / 1000.0);
    }
    fputc('}', out);
}

#endif
