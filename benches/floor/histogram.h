/* Durations in nanoseconds, to three significant digits: buckets that double, each in 1 024 parts. */
#ifndef FLOOR_HISTOGRAM_H
#define FLOOR_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define PARTS 1024u
/* Up to 2^40 ns, 18 minutes. */
#define BUCKETS (32u * PARTS)

struct histogram {
    uint64_t samples, sum, min, max;
    uint32_t counts[BUCKETS];
};

static inline size_t bucket_of(uint64_t value) {
    if (value < 2 * PARTS) return (size_t)value;
    const unsigned shift = 53u - (unsigned)__builtin_clzll(value); /* leaves eleven bits */
    const size_t bucket = (size_t)shift * PARTS + (size_t)(value >> shift);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static inline void record(struct histogram *histogram, uint64_t value) {
    if (histogram->samples == 0 || value < histogram->min) histogram->min = value;
    if (value > histogram->max) histogram->max = value;
    histogram->samples += 1;
    histogram->sum += value;
    histogram->counts[bucket_of(value)] += 1;
}

/* The largest value of the bucket that so many thousandths of the samples reach. */
static inline uint64_t percentile(const struct histogram *histogram, uint64_t thousandths) {
    const uint64_t wanted = (histogram->samples * thousandths + 999) / 1000;
    uint64_t seen = 0;
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && (seen += histogram->counts[bucket]) < wanted) bucket += 1;
    if (bucket < 2 * PARTS) return bucket;
    const unsigned shift = (unsigned)(bucket / PARTS) - 1;
    return ((bucket - (size_t)shift * PARTS + 1) << shift) - 1;
}

#endif
