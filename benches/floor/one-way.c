/* One-way throughput: the sink checks every message and confirms the total once it has the last (../harness/measures/one-way.js). */
#include <inttypes.h>

#include "measures.h"

/* The clock is read once for so many messages. */
#define CLOCK_EVERY 64u
/*
 * Pauses of a sink that has taken everything: one that looks again at once takes the line with the tail away from the producer at every message.
 * From 3.8 to 6.4 million messages a second without, and 3.0 to 3.3 with MAC, on the machine of ../README.md.
 */
#define REST 500u

_Noreturn void count_messages(struct link *link) {
    uint32_t expected = 0;
    make_payload(link->outgoing, link->size);
    for (;;) {
        wait_for_message(link);
        /* Everything that is there, then its room goes back at once. */
        while (has_message(&link->in)) {
            take_message(link);
            if (counter_of(link->incoming, link->size) != expected) fail(link, "a message was lost, doubled or swapped");
            expected += 1;
            if (link->incoming[4] == 0) {
                if (expected % CLOCK_EVERY == 0) release(&link->in);
                continue;
            }
            stamp(link->outgoing, link->size, expected, 1);
            expected = 0;
            send_message(link, 1);
        }
        release(&link->in);
        for (unsigned rest = 0; rest < REST; rest += 1) pause_core();
    }
}

struct burst {
    uint32_t messages;
    uint64_t elapsed;
};

static struct burst drive_burst(struct link *link, uint64_t duration, uint64_t batch) {
    const uint64_t started_at = now();
    uint32_t counter = 0;
    for (int is_over = 0; !is_over; counter += 1) {
        is_over = counter % CLOCK_EVERY == 0 && now() >= started_at + duration;
        stamp(link->outgoing, link->size, counter, is_over);
        send_message(link, batch);
    }
    flush(link);
    wait_for_message(link);
    take_message(link);
    release(&link->in);
    const uint64_t elapsed = now() - started_at;
    if (counter_of(link->incoming, link->size) != counter) fail(link, "the sink confirmed another number of messages");
    return (struct burst){counter, elapsed};
}

void drive_one_way(struct link *link, const struct plan *plan) {
    make_payload(link->outgoing, link->size);
    drive_burst(link, plan->warm_up, plan->batch);
    const struct burst burst = drive_burst(link, plan->measured, plan->batch);
    const double seconds = (double)burst.elapsed / 1e9;
    printf("{\"messages\":%" PRIu32 ",\"seconds\":%.6f,\"perSecond\":%.1f,\"bytesPerSecond\":%.1f}", burst.messages, seconds,
           burst.messages / seconds, (double)burst.messages * (double)link->size / seconds);
}
