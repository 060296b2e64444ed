/* What the processes of the load generator tell their parent: one struct each in shared anonymous memory.
 * Counters only grow; the parent subtracts what they were at the last `mark`. */
#ifndef MOONX_BENCH_LOAD_SHARE_H
#define MOONX_BENCH_LOAD_SHARE_H

#include "tests/bench/histogram.h"

#define LOAD_MAX_PROCESSES  16
#define LOAD_POSITION_BYTES 512

struct load_counts {
    uint64_t ready;      /* connections that have been told their rooms */
    uint64_t retries;    /* told to authenticate again later */
    uint64_t failed;     /* could not connect, shake hands or authenticate */
    uint64_t closed;     /* were ready and have been closed by the server */
    uint64_t deliveries; /* events for everyone */
    uint64_t privates;   /* events of one user */
    uint64_t others;     /* messages without a stamp */
    uint64_t bytes;      /* of payload, of stamped events, inflated */
    uint64_t wire;       /* bytes of all frames, as they came */
    uint64_t reads;      /* recv calls that brought bytes */
    struct histogram public_latency, private_latency;
};

struct load_child {
    struct load_counts counts;
    uint64_t first_ns, last_ns; /* of the deliveries since the last mark */
    unsigned window_seen;
    unsigned last_close_code;
};

struct load_share {
    volatile unsigned window; /* raised by the parent at each mark */
    struct load_child children[LOAD_MAX_PROCESSES];
};

struct load_settings {
    uint16_t port;
    unsigned connections, processes, in_flight;
    unsigned first_user;  /* users are named bench<number> */
    long long expires_s;  /* of tokens, since 1970; the same again gives the same tokens */
    const char *position; /* JSON that each resumes from; NULL: none does */
    bool deflate;         /* offer permessage-deflate, and insist */
    bool deaf;            /* read nothing once ready, behind a small socket buffer */
    int nice;
    const char *secret;
    size_t secret_length;
};

#endif
