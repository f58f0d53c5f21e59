/* The measures of ../harness/measures in C, and what their results are called there. */
#ifndef FLOOR_MEASURES_H
#define FLOOR_MEASURES_H

#include "link.h"

struct plan {
    uint64_t warm_up, measured; /* nanoseconds */
    uint64_t batch;             /* messages that are published together */
};

/* The answering sides; they end by being killed. */
_Noreturn void echo(struct link *link);
_Noreturn void count_messages(struct link *link);

/* The driving sides; they write the result as JSON to stdout. */
void drive_round_trip(struct link *link, const struct plan *plan);
void drive_one_way(struct link *link, const struct plan *plan);

#endif
