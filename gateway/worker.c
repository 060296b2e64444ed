#include "gateway/worker.h"

#include "common/clock.h"
#include "common/config_files.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/access/middleware.h"
#include "gateway/access/policy.h"
#include "gateway/access/token_verify.h"
#include "gateway/connection/conn_accept.h"
#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_revoke.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/drain.h"
#include "gateway/connection/ws_inflate.h"
#include "gateway/connection/ws_pool.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/conn_flush.h"
#include "gateway/delivery/event_receive.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/overload.h"
#include "gateway/delivery/position.h"
#include "gateway/external/external.h"
#include "gateway/http/admin_rule.h"
#include "gateway/message/room_lease.h"
#include "gateway/presence/presence.h"
#include "gateway/redis/redis.h"
#include "gateway/reload.h"
#include "gateway/survey.h"
#include "gateway/tls/tls.h"
#include "gateway/uplink.h"
#include "shm/ticket_keys.h"
#include "shm/wake.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define TICK_MS WHEEL_TICK_MS /* also the backstop of wake-ups and far inside the heartbeat's 5 s */
#define LATE_NS (2ull * TICK_MS * 1000000)

/* What the loop itself needs beside struct worker; one process, one loop. */
static struct {
    struct event *tick, *wake, *term, *quit, *reload;
    bool dev;
    bool stop;
} loop;

/* The backstop: a record that concerns this worker and has lain there for two ticks while the worker slept was
 * not announced. That must never happen; the counter says whether it does. */
static void count_late_records(struct worker *worker) {
    if (load_relaxed(&worker->block->sleeping) == 0 || ring_read_lag(&worker->reader) == 0) {
        return;
    }
    uint64_t matched = stats_get(worker->stats, STAT_RECORDS_MATCHED);
    uint64_t latency = stats_get(worker->stats, STAT_INGEST_LATENCY_NS);
    event_receive(worker);
    matched = stats_get(worker->stats, STAT_RECORDS_MATCHED) - matched;
    latency = stats_get(worker->stats, STAT_INGEST_LATENCY_NS) - latency;
    if (matched > 0 && latency / matched > LATE_NS) {
        stats_add(worker->stats, STAT_LATE_WAKES, matched);
    }
}

static void update_gauges(struct worker *worker) {
    const struct fanout *fanout = worker->fanout;
    stats_set(worker->stats, STAT_USERS, fanout->users.users.used);
    stats_set(worker->stats, STAT_ROOMS, fanout->rooms.rooms.used);
    stats_set(worker->stats, STAT_QUEUED_BYTES, fanout->queues.bytes);
    stats_set(worker->stats, STAT_FRAME_BYTES, fanout->arena.bytes);
    stats_set(worker->stats, STAT_LOG_LINES_LOST, log_lost());
}

static void follow_log_level(const struct host_block *host) {
    uint32_t level = load_relaxed(&host->log_level);
    if (level != 0) {
        log_set_level((enum log_level)(level - 1));
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct worker *worker = context;
    store_relaxed(&worker->block->heartbeat_ns, clock_mono_ns());
    follow_log_level(worker->view.host);
    count_late_records(worker);
    conn_timers_advance(worker);
    position_note(worker->position, worker->reader.cursor);
    catchup_tick(worker);
    overload_shed(worker);
    token_verify_tick(worker);
    update_gauges(worker);
    survey_tick(worker);
    if (worker->draining && drain_tick(worker)) {
        loop.stop = true;
    }
}

static void on_wake(evutil_socket_t fd, short what, void *context) {
    (void)what;
    wake_drain(fd);
    survey_hear(context);
}

static void on_term(evutil_socket_t signal, short what, void *context) {
    (void)signal;
    (void)what;
    drain_start(context);
}

static void on_reload(evutil_socket_t signal, short what, void *context) {
    (void)signal;
    (void)what;
    reload_in_place(context, loop.dev);
}

static void on_quit(evutil_socket_t signal, short what, void *context) {
    (void)signal;
    (void)what;
    (void)context;
    loop.stop = true;
}

/* A reload between reading the files and being able to hear of it must not be lost. */
static void hold_reload(bool hold) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int start_events(struct worker *worker) {
    static const struct timeval tick = {.tv_usec = TICK_MS * 1000L};
    int wake_fd = worker->heritage.wake_fd[worker->heritage.index];
    loop.tick = event_new(worker->base, -1, EV_PERSIST, on_tick, worker);
    loop.wake = event_new(worker->base, wake_fd, EV_READ | EV_PERSIST, on_wake, worker);
    loop.term = evsignal_new(worker->base, SIGTERM, on_term, worker);
    loop.quit = evsignal_new(worker->base, SIGQUIT, on_quit, worker);
    loop.reload = evsignal_new(worker->base, SIGHUP, on_reload, worker);
    struct event *const events[] = {loop.tick, loop.wake, loop.term, loop.quit, loop.reload};
    for (unsigned i = 0; i < ARRAY_LENGTH(events); i++) {
        if (events[i] == NULL || event_add(events[i], events[i] == loop.tick ? &tick : NULL) != 0) {
            return -ENOMEM;
        }
    }
    hold_reload(false); /* one that came meanwhile is taken now */
    return 0;
}

static void stop_events(void) {
    struct event *events[] = {loop.tick, loop.wake, loop.term, loop.quit, loop.reload};
    for (unsigned i = 0; i < ARRAY_LENGTH(events); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
}

/* Nothing to do until a socket, a timer or ingest says so. A full worker leaves the ring alone until clients have
 * read, so there it sleeps although records wait. */
static bool may_sleep(struct worker *worker) {
    bool quiet = wake_prepare_sleep(worker->block, &worker->view.segment.words->indexed,
                                    worker->reader.cursor);
    return (quiet || fanout_full(worker)) && !uplink_answered(worker);
}

/* One turn: new records to their queues, a slice of writes or a few, the sockets that are ready. */
static void turn(struct worker *worker) {
    bool more = conn_revoke_follow(worker);
    more |= event_receive(worker);
    more |= sample_turn(worker);
    uplink_receive(worker);
    more |= catchup_turn(worker);
    more |= conn_defer_turn(worker);
    overload_look(worker);
    more |= conn_flush_turn(worker);
    int sleep = !more && may_sleep(worker) ? 0 : EVLOOP_NONBLOCK;
    event_base_loop(worker->base, EVLOOP_ONCE | sleep);
    wake_awake(worker->block);
    conn_reap(worker);
}

static int map_tickets(struct worker *worker) {
    int fd = worker->heritage.ticket_fd;
    return fd < 0 ? 0 : ticket_keys_map(fd, false, &worker->tickets);
}

/* Secrets first, then the lesser user, then everything that strangers can reach. */
static int become_unprivileged(struct worker *worker, bool dev) {
    char error[1024] = "the keys of TLS tickets that were handed down can't be used";
    if (map_tickets(worker) != 0 ||
        reload_read(worker, worker->options, dev, error, sizeof error) != 0) {
        log_error("%s", error);
        return -EINVAL;
    }
    int result = heritage_drop_privileges(&worker->heritage);
    if (result != 0) {
        log_error("can't become user %u: %s", worker->heritage.run_as_uid, strerror(-result));
        return result;
    }
    secret_protect_process();
    return 0;
}

static int open_shared_memory(struct worker *worker) {
    int error = host_view_open(&worker->heritage, &worker->view);
    if (error != 0) {
        return error;
    }
    worker->block = worker->view.workers[worker->heritage.index];
    worker->stats = &worker->block->stats;
    stats_reset_gauges(worker->stats);
    store_relaxed(&worker->block->pid, (uint32_t)getpid());
    store_relaxed(&worker->block->state, WORKER_STARTING);
    store_relaxed(&worker->block->started_ms, (uint64_t)clock_wall_ms());
    conn_revoke_start(worker);
    survey_start(worker);
    error = middleware_attach(worker, worker->middleware);
    error = error != 0 ? error
                       : position_view_new(&worker->view.segment, worker->options->position_epoch,
                                           &worker->position);
    loss_start(worker);
    error = error != 0 ? error : ring_read_init(&worker->reader, &worker->view.segment);
    if (error == 0) {
        position_jumped(worker->position, worker->reader.cursor);
    }
    return error;
}

/* The loop, and what serves connections on it. */
static int build_delivery(struct worker *worker) {
    int error = (worker->base = event_base_new()) != NULL ? 0 : -ENOMEM;
    error = error != 0 ? error : conn_table_new(worker, &worker->conns);
    error = error != 0 ? error : fanout_new(worker, &worker->fanout);
    error = error != 0 ? error : ws_pool_new(&worker->ws_pool);
    if (error == 0 && worker->options->ws_deflate) {
        error = ws_inflate_new((size_t)worker->options->ws_max_message_bytes, &worker->inflate);
    }
    return error != 0 ? error : conn_poll_init(worker);
}

/* What connections ask, here and elsewhere. */
static int build_services(struct worker *worker) {
    int error = uplink_start(worker);
    error = error != 0 ? error : auth_start(worker->auth, worker->base, worker->stats);
    if (error == 0 && worker->external != NULL) {
        error = external_start(worker->external, worker->base, worker->stats);
    }
    if (error == 0 && worker->redis != NULL) {
        error = redis_start(worker->redis, worker->base, worker->stats);
        error = error != 0 ? error : middleware_share(worker->middleware, worker->redis);
    }
    return error != 0 ? error : presence_new(worker, &worker->presence);
}

static int build_flush(struct worker *worker) {
    const char *note = NULL;
    int error = conn_flush_init(worker, worker->options->flush_backend, &note);
    if (error != 0) {
        log_error("FLUSH_BACKEND: %s is not to be had here: %s", worker->options->flush_backend,
                  strerror(-error));
    } else if (note != NULL && worker->heritage.index == 0) {
        log_warn("%s", note);
    }
    return error;
}

static void serve(struct worker *worker) {
    store_relaxed(&worker->block->heartbeat_ns, clock_mono_ns());
    store_relaxed(&worker->block->state, WORKER_SERVING);
    stats_set(worker->stats, STAT_CONFIG_GENERATION, config_files_generation());
    log_info("serving, writes by %s", worker->fanout->backend_calls->name);
    while (!loop.stop) {
        turn(worker);
    }
    log_info("stopping with %llu connections left",
             (unsigned long long)stats_get(worker->stats, STAT_SOCKETS));
}

static void tear_down(struct worker *worker) {
    if (worker->base != NULL) {
        conn_accept_stop(worker);
        presence_leave(worker->presence);
    }
    if (worker->auth != NULL && worker->conns != NULL) {
        room_lease_stop();
        token_verify_stop();
        auth_stop(worker->auth); /* who waits for its answer is told while there are connections */
    }
    redis_stop(worker->redis);       /* the same */
    external_free(worker->external); /* what waits for it goes up without */
    uplink_stop(worker);
    survey_stop(worker);
    if (worker->fanout != NULL && worker->conns != NULL) {
        conn_table_free(worker, worker->conns);
    }
    middleware_free(worker->middleware); /* its timer belongs to the loop */
    presence_free(worker->presence);
    redis_free(worker->redis);
    fanout_free(worker->fanout);
    ws_pool_free(worker->ws_pool);
    ws_inflate_free(worker->inflate);
    stop_events();
    if (worker->base != NULL) {
        event_base_free(worker->base);
    }
    ring_read_done(&worker->reader);
    position_view_free(worker->position);
    if (worker->block != NULL) {
        store_relaxed(&worker->block->state, WORKER_ABSENT);
    }
    auth_free(worker->auth);
    policy_free(worker->policy);
    admin_rule_free(worker->admin);
    reload_done();
    tls_free(worker->tls);
    if (worker->tickets != NULL) {
        ticket_keys_unmap(worker->tickets);
    }
    host_view_close(&worker->view);
}

static void name_process(const struct heritage *heritage, const struct options *options) {
    char name[32];
    snprintf(name, sizeof name, "worker-%u", heritage->index);
    log_init_words(name, options->log_level, options->log_format);
}

int worker_main(const struct heritage *heritage, int argc, char *const *argv,
                const struct options *options, bool dev) {
    static struct worker worker; /* it holds the wheel: 16 KB */
    worker.options = options;
    worker.argc = argc;
    worker.argv = argv;
    worker.heritage = *heritage;
    worker.dev = dev;
    loop.dev = dev;
    name_process(heritage, options);
    signal(SIGPIPE, SIG_IGN);
    hold_reload(true);
    unsigned seed = 0;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed) {
        srandom(seed); /* for spreading pings and reconnects, no secret */
    }
    int error = become_unprivileged(&worker, dev);
    error = error != 0 ? error : open_shared_memory(&worker);
    error = error != 0 ? error : build_delivery(&worker);
    error = error != 0 ? error : build_services(&worker);
    error = error != 0 ? error : build_flush(&worker);
    error = error != 0 ? error : start_events(&worker);
    error = error != 0 ? error : conn_accept_start(&worker);
    if (error != 0) {
        log_error("can't start: %s", strerror(-error));
    } else {
        serve(&worker);
    }
    tear_down(&worker);
    return error != 0 ? 1 : 0;
}
