/*
 * A single-producer single-consumer byte ring in shared memory: what EIPC's lanes do, without their checks.
 *
 * Both sides keep their own position and a copy of the other's in private memory and look at the shared one only when the copy says full or
 * empty. A record is its length and its bytes, padded to 8; it never wraps: a length of PADDING means that the rest of the ring is skipped.
 */
#ifndef FLOOR_RING_H
#define FLOOR_RING_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* That of EIPC's lane for features, the messages that the Node contestants send. */
#define RING_BYTES (1u << 20)
#define RING_PREFIX 8u
#define PADDING UINT64_MAX

/* The two words lie in different pairs of cache lines: neighbours are fetched together. */
struct ring {
    _Alignas(128) _Atomic uint64_t tail; /* bytes published; the producer writes it */
    _Alignas(128) _Atomic uint64_t head; /* bytes given back; the consumer writes it */
    _Alignas(128) uint8_t bytes[RING_BYTES];
};

struct producer {
    struct ring *ring;
    uint64_t position;
    uint64_t head; /* as last seen */
};

struct consumer {
    struct ring *ring;
    uint64_t position;
    uint64_t tail; /* as last seen */
};

static inline uint64_t record_bytes(uint64_t length) {
    return (RING_PREFIX + length + 7) & ~(uint64_t)7;
}

/* Whether so many bytes are free. */
static inline int has_room(struct producer *producer, uint64_t wanted) {
    if (producer->position + wanted - producer->head <= RING_BYTES) return 1;
    producer->head = atomic_load_explicit(&producer->ring->head, memory_order_acquire); /* partner: `release` */
    return producer->position + wanted - producer->head <= RING_BYTES;
}

/* Copies a message into the ring without publishing it; 0 if it is full. */
static inline int push(struct producer *producer, const uint8_t *message, uint64_t length) {
    uint64_t size = record_bytes(length);
    uint64_t at = producer->position & (RING_BYTES - 1);
    uint64_t skipped = at + size > RING_BYTES ? RING_BYTES - at : 0;
    if (!has_room(producer, skipped + size)) return 0;
    if (skipped > 0) {
        uint64_t padding = PADDING;
        memcpy(producer->ring->bytes + at, &padding, RING_PREFIX);
        producer->position += skipped;
        at = 0;
    }
    memcpy(producer->ring->bytes + at, &length, RING_PREFIX);
    memcpy(producer->ring->bytes + at + RING_PREFIX, message, length);
    producer->position += size;
    return 1;
}

static inline void publish(struct producer *producer) {
    atomic_store_explicit(&producer->ring->tail, producer->position, memory_order_release); /* partner: `has_message` */
}

static inline int has_message(struct consumer *consumer) {
    if (consumer->position != consumer->tail) return 1;
    consumer->tail = atomic_load_explicit(&consumer->ring->tail, memory_order_acquire); /* partner: `publish` */
    return consumer->position != consumer->tail;
}

/* Copies the next message out, which `has_message` announced, and returns its length. `message` has room for any. */
static inline uint64_t take(struct consumer *consumer, uint8_t *message) {
    uint64_t length;
    uint64_t at = consumer->position & (RING_BYTES - 1);
    memcpy(&length, consumer->ring->bytes + at, RING_PREFIX);
    if (length == PADDING) {
        consumer->position += RING_BYTES - at;
        at = 0;
        memcpy(&length, consumer->ring->bytes, RING_PREFIX);
    }
    memcpy(message, consumer->ring->bytes + at + RING_PREFIX, length);
    consumer->position += record_bytes(length);
    return length;
}

/* Gives back the room of what was taken. */
static inline void release(struct consumer *consumer) {
    atomic_store_explicit(&consumer->ring->head, consumer->position, memory_order_release); /* partner: `has_room` */
}

#endif
