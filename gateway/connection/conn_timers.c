#include "gateway/connection/conn_timers.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/connection/conn_head.h"
#include "gateway/connection/conn_judge.h"
#include "gateway/connection/conn_proxy.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_tcp.h"
#include "gateway/message/notice.h"
#include "gateway/message/reply.h"

#include <stdlib.h>

static uint32_t tick_in(const struct worker *worker, uint64_t in_ms) {
    uint64_t due_ms = clock_mono_ms() + in_ms - worker->wheel.start_ms;
    return (uint32_t)(due_ms / WHEEL_TICK_MS) + 1;
}

static uint64_t tick_ms(const struct worker *worker, uint32_t tick) {
    return worker->wheel.start_ms + (uint64_t)tick * WHEEL_TICK_MS;
}

/* The token's next date: the request for a new one, then its end. */
static int64_t token_due_s(const struct conn *conn) {
    return (int64_t)conn->expires_s - conn->refresh_lead_s;
}

static uint64_t token_due_ms(const struct conn *conn) {
    int64_t left_ms = token_due_s(conn) * 1000 - clock_wall_ms();
    return clock_mono_ms() + (left_ms > 0 ? (uint64_t)left_ms : 0);
}

static void reschedule(struct worker *worker, struct conn *conn) {
    uint64_t due = UINT64_MAX;
    if (conn->deadline_tick != 0) {
        due = tick_ms(worker, conn->deadline_tick);
    }
    if (conn_is_open(conn) && conn->ping_tick != 0) {
        uint64_t ping = tick_ms(worker, conn->ping_tick);
        due = ping < due ? ping : due;
    }
    if (conn_authenticated(conn)) {
        uint64_t token = token_due_ms(conn);
        due = token < due ? token : due;
    }
    if (due == UINT64_MAX) {
        wheel_cancel(&worker->wheel, conn->self);
    } else {
        wheel_schedule(&worker->wheel, conn->self, due);
    }
}

void conn_timers_set_deadline(struct worker *worker, struct conn *conn, uint64_t in_ms) {
    conn->deadline_tick = in_ms == 0 ? 0 : tick_in(worker, in_ms);
    reschedule(worker, conn);
}

void conn_timers_start_pings(struct worker *worker, struct conn *conn) {
    uint64_t interval = (uint64_t)worker->options->ws_ping_interval;
    conn->ping_tick = tick_in(worker, interval / 2 + (uint64_t)random() % (interval / 2 + 1));
    reschedule(worker, conn);
}

void conn_timers_set_expiry(struct worker *worker, struct conn *conn, int64_t expires_wall_ms) {
    bool refreshed = conn->expires_s != 0;
    int64_t seconds = expires_wall_ms / 1000;
    int64_t lead_s = (worker->options->auth_refresh_lead + 999) / 1000;
    int64_t left_s = seconds - clock_wall_ms() / 1000;
    conn->expires_s = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
    conn->refresh_lead_s = (uint16_t)(refreshed && left_s < lead_s ? left_s / 2 : lead_s);
    reschedule(worker, conn);
}

void conn_timers_alive(struct worker *worker, struct conn *conn) {
    if (conn->flags & CONN_AWAITING_PONG) {
        conn->flags &= (uint16_t) ~(CONN_AWAITING_PONG | CONN_PONG_LATE);
        conn->ping_tick = tick_in(worker, (uint64_t)worker->options->ws_ping_interval);
    }
}

/* A ping could not reach it: that its socket takes bytes again is the sign of life to wait for. */
void conn_timers_blocked(struct worker *worker, struct conn *conn) {
    if (conn_is_open(conn)) {
        conn->flags |= CONN_AWAITING_PONG;
        conn->ping_tick = tick_in(worker, (uint64_t)worker->options->ws_slow_timeout);
        reschedule(worker, conn);
    }
}

static void token_due(struct worker *worker, struct conn *conn) {
    int64_t left_ms = (int64_t)conn->expires_s * 1000 - clock_wall_ms();
    if (left_ms > 0) {
        conn->refresh_lead_s = 0;
        notice_refresh(worker, conn, left_ms);
        return;
    }
    reply_auth_failed(worker, conn, ERROR_TOKEN_EXPIRED, NULL);
    conn_close(worker, conn, CLOSE_POLICY, "Token expired");
}

static void pending_ended(struct worker *worker, struct conn *conn) {
    stats_add(worker->stats, STAT_AUTH_TIMEOUTS, 1);
    conn_close(worker, conn, CLOSE_POLICY, "Authentication timeout");
}

static void message_too_slow(struct worker *worker, struct conn *conn) {
    conn_close(worker, conn, CLOSE_POLICY, "Message not finished in time");
}

static void (*const on_deadline[CONN_STATE_COUNT])(struct worker *, struct conn *) = {
    [CONN_PROXY] = conn_proxy_timeout,  [CONN_TLS] = conn_kill,
    [CONN_HEAD] = conn_head_timeout,    [CONN_JUDGING] = conn_judge_timeout,
    [CONN_CATCHING] = message_too_slow, [CONN_PENDING] = pending_ended,
    [CONN_LIVE] = message_too_slow,     [CONN_CLOSING] = conn_kill,
    [CONN_REPLYING] = conn_kill,        [CONN_LINGER] = conn_kill,
};

static void send_ping(struct worker *worker, struct conn *conn) {
    stats_add(worker->stats, STAT_PINGS, 1);
    conn->flags |= CONN_AWAITING_PONG;
    conn->ping_tick = tick_in(worker, (uint64_t)worker->options->ws_pong_timeout);
    if (conn_queue_frame(worker, conn, WSLAY_PING, (struct span){"", 0}) != 0) {
        conn_kill(worker, conn);
    }
}

/* The kernel still has bytes for it that it has not read so far: they stand before the ping, or before its answer. As
 * long as some arrive within WS_SLOW_TIMEOUT it is slow, not gone; once all have been sent it has WS_PONG_TIMEOUT again.
 * False: it has had the ping in time, or nothing arrives there at all. */
static bool put_off(struct worker *worker, struct conn *conn) {
    const struct conn_tcp tcp = conn_tcp_look(conn->fd);
    bool late = (conn->flags & CONN_PONG_LATE) != 0;
    if (tcp.silent_ms >= (uint64_t)worker->options->ws_pong_timeout || (tcp.unsent == 0 && !late)) {
        return false;
    }
    if (tcp.unsent == 0) {
        conn->flags &= (uint16_t)~CONN_PONG_LATE;
        conn->ping_tick = tick_in(worker, (uint64_t)worker->options->ws_pong_timeout);
        return true;
    }
    if (late && conn->pong_acknowledged == (uint32_t)tcp.acknowledged) {
        conn_too_slow(worker, conn);
        return true;
    }
    conn->flags |= CONN_PONG_LATE;
    conn->pong_acknowledged = (uint32_t)tcp.acknowledged;
    conn->ping_tick = tick_in(worker, (uint64_t)worker->options->ws_slow_timeout);
    return true;
}

static void pong_missing(struct worker *worker, struct conn *conn) {
    if (conn->flags & CONN_BLOCKED) {
        conn_too_slow(worker, conn); /* no byte has gone out for WS_SLOW_TIMEOUT */
        return;
    }
    if (conn->flags & CONN_UNREAD) {
        conn_timers_alive(worker, conn); /* it may have answered; AUTH_TIMEOUT ends this */
        return;
    }
    if (put_off(worker, conn)) {
        return;
    }
    stats_add(worker->stats, STAT_PONG_TIMEOUTS, 1);
    conn_close(worker, conn, CLOSE_GOING_AWAY, "Pong timeout");
}

static void fire(void *context, uint32_t index) {
    struct worker *worker = context;
    struct conn *conn = conn_at(worker, index);
    uint32_t now = worker->wheel.now_tick;
    if (conn->deadline_tick != 0 && now >= conn->deadline_tick) {
        conn->deadline_tick = 0;
        if (on_deadline[conn->state] != NULL) {
            on_deadline[conn->state](worker, conn);
        }
    } else if (conn_authenticated(conn) && clock_wall_ms() / 1000 >= token_due_s(conn)) {
        token_due(worker, conn);
    } else if (conn_is_open(conn) && conn->ping_tick != 0 && now >= conn->ping_tick) {
        if (conn->flags & CONN_AWAITING_PONG) {
            pong_missing(worker, conn);
        } else {
            send_ping(worker, conn);
        }
    }
    if (conn->state != CONN_DEAD && conn->state != CONN_FREE) {
        reschedule(worker, conn);
    }
}

void conn_timers_advance(struct worker *worker) {
    wheel_advance(&worker->wheel, clock_mono_ms(), fire, worker);
}
