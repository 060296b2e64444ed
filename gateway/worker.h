/* One worker process: everything it owns, in one struct that its parts share. Single-threaded around one
 * libevent base; the loop is its own (worker.c), because libevent 2.1 has no hook before it sleeps. */
#ifndef MOONX_GATEWAY_WORKER_H
#define MOONX_GATEWAY_WORKER_H

#include "common/heritage.h"
#include "common/option.h"
#include "common/wheel.h"
#include "gateway/access/auth.h"
#include "gateway/delivery/loss.h"
#include "shm/host_view.h"
#include "shm/ring_read.h"

struct admin_rule;
struct conn;
struct conn_table;
struct event_base;
struct external;
struct fanout;
struct policy;
struct redis;
struct position_view;
struct presence;
struct middleware;
struct uplink;
struct ticket_keys;
struct tls;
struct ws_inflate;
struct ws_pool;

struct worker {
    const struct options *options; /* those of the start, or of the last reload */
    int argc;                      /* the command line, for the next one */
    char *const *argv;
    struct heritage heritage;
    struct host_view view;
    struct worker_block *block; /* own one, writable */
    struct stats *stats;        /* block->stats */
    struct auth *auth;
    struct policy *policy;          /* NULL: the built-in table */
    struct middleware *middleware;  /* NULL: nothing is configured */
    struct admin_rule *admin;       /* NULL: nobody is an administrator */
    struct redis *redis;            /* NULL: none is configured */
    struct presence *presence;      /* who is online */
    struct external *external;      /* NULL: none is configured */
    struct ticket_keys *tickets;    /* read-only; NULL: no session tickets */
    struct tls *tls;                /* NULL: plain */
    struct position_view *position; /* how far it has come, by topic-partition */
    struct ring_read reader;
    struct loss loss; /* what clients were not given, as far as they have not been told */
    struct conn_table *conns;
    struct fanout *fanout; /* rooms, users, frames, flush schedule */
    struct ws_pool *ws_pool;
    struct ws_inflate *inflate; /* NULL: WS_DEFLATE is off */
    struct uplink *uplink;      /* what clients publish, to Kafka */
    struct wheel wheel;
    struct event_base *base;
    uint64_t revocations_seen; /* changes of view.revocations that have been followed */
    bool draining;
    bool refusing; /* too much waits to be written: no new connections */
    bool dev;      /* --dev */
};

/* Runs until told to stop; the process's exit status. What is borrowed lives as long. */
int worker_main(const struct heritage *heritage, int argc, char *const *argv,
                const struct options *options, bool dev);

#endif
