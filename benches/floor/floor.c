/*
 * What this machine can do between two processes without Node, sessions and distrust: shared memory, spinning, every message checked, with
 * or without HMAC-SHA256.
 *
 * A native contestant of benches/ (harness/native.js): runs both processes of one point and prints one line of JSON. Ends with code 69 and
 * a reason where it cannot run, 1 when a message was wrong or missing.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measures.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define UNAVAILABLE 69
#define KEY_BYTES 32
/* Messages that are published together: more gain nothing. */
#define BATCH 16
/* Seconds beyond its plan after which a process is stuck. */
#define GRACE 20

struct options {
    int is_signed;
    const char *measure;
    uint64_t size;
    double seconds, warm_up;
    int answering_core, driving_core; /* -1: anywhere */
};

static _Noreturn void refuse(const char *reason, int code) {
    fprintf(stderr, "%s\n", reason);
    exit(code);
}

static struct options read_options(int count, char **words) {
    if (count != 8)
        refuse("usage: floor none|hmac-sha256 round-trip|one-way|one-way-batch BYTES SECONDS WARM-UP ANSWERING-CORE DRIVING-CORE", 2);
    struct options options = {
        .is_signed = strcmp(words[1], "hmac-sha256") == 0,
        .measure = words[2],
        .size = strtoull(words[3], NULL, 10),
        .seconds = atof(words[4]),
        .warm_up = atof(words[5]),
        .answering_core = atoi(words[6]),
        .driving_core = atoi(words[7]),
    };
    if (options.size < LEAST_PAYLOAD || options.size > MOST_PAYLOAD) refuse("a payload has 16 to 131072 bytes here", UNAVAILABLE);
    return options;
}

static void pin_to(int core) {
#ifdef __linux__
    cpu_set_t set;
    if (core < 0) return;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) refuse("a process could not be pinned to its core", 1);
#else
    (void)core;
#endif
}

static void begin_keys(struct hmac keys[2]) {
    uint8_t bytes[2 * KEY_BYTES];
    FILE *random = fopen("/dev/urandom", "rb");
    if (random == NULL || fread(bytes, sizeof bytes, 1, random) != 1) refuse("there are no random bytes", 1);
    fclose(random);
    hmac_begin(&keys[0], bytes, KEY_BYTES);
    hmac_begin(&keys[1], bytes + KEY_BYTES, KEY_BYTES);
}

/* Before the processes part: both have all of it. */
static void set_up(struct link *link, const struct options *options) {
    struct hmac keys[2] = {0};
    if (options->is_signed) {
        if (!sha256_is_available()) refuse("HMAC-SHA256 is written for the SHA extensions of x86-64, which this processor lacks", UNAVAILABLE);
        if (!hmac_passes_vectors()) refuse("HMAC-SHA256 fails the test cases of RFC 4231", 1);
        begin_keys(keys);
    }
    link->shared = mmap(NULL, sizeof *link->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (link->shared == MAP_FAILED) refuse("there is no memory to share", 1);
    link->name = "driving process";
    link->is_signed = options->is_signed;
    link->size = options->size;
    link->out.ring = &link->shared->there;
    link->in.ring = &link->shared->back;
    link->out_key = keys[0];
    link->in_key = keys[1];
}

static void turn_round(struct link *link, pid_t parent) {
    const struct hmac sends = link->out_key;
    link->name = "answering process";
    link->parent = parent;
    link->out.ring = &link->shared->back;
    link->in.ring = &link->shared->there;
    link->out_key = link->in_key;
    link->in_key = sends;
}

int main(int count, char **words) {
    static struct link link;
    const struct options options = read_options(count, words);
    const int is_echo = strcmp(options.measure, "round-trip") == 0;
    const struct plan plan = {
        .warm_up = (uint64_t)(options.warm_up * 1e9),
        .measured = (uint64_t)(options.seconds * 1e9),
        .batch = strcmp(options.measure, "one-way-batch") == 0 ? BATCH : 1,
    };
    const unsigned deadline = (unsigned)(3 * (options.seconds + options.warm_up)) + GRACE;
    set_up(&link, &options);
    const pid_t parent = getpid();
    const pid_t answerer = fork();
    if (answerer < 0) refuse("there is no second process", 1);
    alarm(deadline); /* a process that is stuck, or was left alone, ends */
    pin_to(answerer == 0 ? options.answering_core : options.driving_core);
    if (answerer == 0) {
        turn_round(&link, parent);
        if (is_echo) echo(&link);
        count_messages(&link);
    }
    printf("{\"description\":\"C, a ring of %u KiB, spinning, %s\",\"result\":", RING_BYTES >> 10,
           options.is_signed ? "HMAC-SHA256 by SHA extensions" : "no security");
    if (is_echo)
        drive_round_trip(&link, &plan);
    else
        drive_one_way(&link, &plan);
    printf("}\n");
    kill(answerer, SIGKILL);
    waitpid(answerer, NULL, 0);
    return 0;
}
