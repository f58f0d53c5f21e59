/* One side's end of two rings, and what a message is made of: the payload alone, or the payload and its HMAC-SHA256. */
#ifndef FLOOR_LINK_H
#define FLOOR_LINK_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "hmac.h"
#include "payload.h"
#include "ring.h"

/* Waiting this often it is looked at whether the other side is still there. */
#define LOOK_EVERY 4096u

/* What both processes map. */
struct shared {
    struct ring there, back;
    _Alignas(128) _Atomic int has_failed;
};

struct link {
    const char *name; /* for messages */
    struct shared *shared;
    pid_t parent; /* of the answering process; 0 in the other one */
    struct producer out;
    struct consumer in;
    int is_signed;
    struct hmac out_key, in_key;
    uint64_t size; /* of a payload */
    uint64_t unpublished;
    /* Private: a message is signed before a byte of it is shared, and copied before a byte of it is believed. */
    uint8_t outgoing[MOST_PAYLOAD + SHA256_DIGEST];
    uint8_t incoming[RING_BYTES];
};

/* Says what went wrong, lets the other side end too, and ends. */
static inline void fail(struct link *link, const char *reason) {
    fprintf(stderr, "%s: %s\n", link->name, reason);
    atomic_store(&link->shared->has_failed, 1);
    exit(1);
}

static inline void wait_a_little(struct link *link, unsigned *waited) {
    pause_core();
    if (++*waited % LOOK_EVERY != 0) return;
    if (atomic_load_explicit(&link->shared->has_failed, memory_order_relaxed)) exit(1);
    if (link->parent != 0 && link->parent != getppid()) exit(1);
}

static inline void flush(struct link *link) {
    if (link->unpublished == 0) return;
    publish(&link->out);
    link->unpublished = 0;
}

/* Sends `outgoing`, and publishes once so many were sent. */
static inline void send_message(struct link *link, uint64_t batch) {
    unsigned waited = 0;
    uint64_t length = link->size;
    if (link->is_signed) {
        hmac_sign(&link->out_key, link->outgoing, link->size, link->outgoing + link->size);
        length += SHA256_DIGEST;
    }
    if (!push(&link->out, link->outgoing, length)) {
        flush(link); /* or the consumer has nothing to make room with */
        while (!push(&link->out, link->outgoing, length)) wait_a_little(link, &waited);
    }
    link->unpublished += 1;
    if (link->unpublished >= batch) flush(link);
}

/* Takes the message that is there into `incoming`; one that is not whole or forged is the end. */
static inline void take_message(struct link *link) {
    const uint64_t length = take(&link->in, link->incoming);
    if (length != link->size + (link->is_signed ? SHA256_DIGEST : 0)) fail(link, "a message has the wrong length");
    if (link->is_signed && !hmac_is_right(&link->in_key, link->incoming, link->size, link->incoming + link->size))
        fail(link, "a message carries a wrong MAC");
}

static inline void wait_for_message(struct link *link) {
    unsigned waited = 0;
    while (!has_message(&link->in)) wait_a_little(link, &waited);
}

#endif
