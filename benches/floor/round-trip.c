/* Ping-pong: one message under way, every echo compared with what was sent (../harness/measures/round-trip.js). */
#include <inttypes.h>

#include "histogram.h"
#include "measures.h"

_Noreturn void echo(struct link *link) {
    for (;;) {
        wait_for_message(link);
        take_message(link);
        release(&link->in);
        memcpy(link->outgoing, link->incoming, link->size);
        send_message(link, 1);
    }
}

void drive_round_trip(struct link *link, const struct plan *plan) {
    static struct histogram histogram;
    const uint64_t measured_from = now() + plan->warm_up;
    const uint64_t end = measured_from + plan->measured;
    uint64_t received_at = 0;
    make_payload(link->outgoing, link->size);
    for (uint32_t counter = 0; received_at < end || histogram.samples == 0; counter += 1) {
        stamp(link->outgoing, link->size, counter, 0);
        const uint64_t sent_at = now();
        send_message(link, 1);
        wait_for_message(link);
        take_message(link);
        release(&link->in);
        received_at = now();
        if (memcmp(link->incoming, link->outgoing, link->size) != 0) fail(link, "an echo differs from what was sent");
        if (sent_at >= measured_from) record(&histogram, received_at - sent_at);
    }
    printf("{\"samples\":%" PRIu64 ",\"min\":%" PRIu64 ",\"mean\":%.1f,\"p50\":%" PRIu64 ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64
           ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 "}",
           histogram.samples, histogram.min, (double)histogram.sum / (double)histogram.samples, percentile(&histogram, 500),
           percentile(&histogram, 900), percentile(&histogram, 990), percentile(&histogram, 999), histogram.max);
}
