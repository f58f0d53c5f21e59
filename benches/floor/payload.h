/* The payloads of ../harness/payload.js: a counter at both ends, a flag on the last one, a pattern between. */
#ifndef FLOOR_PAYLOAD_H
#define FLOOR_PAYLOAD_H

#include <stdint.h>
#include <string.h>

#define LEAST_PAYLOAD 16u
#define MOST_PAYLOAD (1u << 17)
#define NOT_WHOLE UINT64_MAX

static inline void stamp(uint8_t *payload, uint64_t size, uint32_t counter, int is_last) {
    payload[4] = is_last ? 1 : 0;
    memcpy(payload, &counter, 4);
    memcpy(payload + size - 4, &counter, 4);
}

static inline void make_payload(uint8_t *payload, uint64_t size) {
    for (uint64_t at = 0; at < size; at += 1) payload[at] = (uint8_t)(at * 31 + 7);
    stamp(payload, size, 0, 0);
}

/* NOT_WHOLE when the two counters differ. */
static inline uint64_t counter_of(const uint8_t *payload, uint64_t size) {
    uint32_t front, back;
    memcpy(&front, payload, 4);
    memcpy(&back, payload + size - 4, 4);
    return front == back ? front : NOT_WHOLE;
}

#endif
