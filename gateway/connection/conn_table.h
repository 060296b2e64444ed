/* The connection: its layout, its life, and the table of all of them. About 110 bytes, flat, no pointers into
 * anything that is not lent for a moment: what an idle connection costs is the product's promise.
 *
 *   state      on which lists, by which timer it ends            legal next states
 *   FREE       none                                               PROXY, TLS, HEAD
 *   PROXY      wheel: 10 s after accept, absolute                 TLS, HEAD, DEAD
 *   TLS        wheel: 10 s after accept, absolute; the handshake  HEAD, REPLYING, LINGER, DEAD
 *   HEAD       wheel: 10 s after accept, absolute                 JUDGING, PENDING, REPLYING,
 *                                                                 DEAD
 *   JUDGING    wheel: a check's deadline; the handshake waits for PENDING, REPLYING, DEAD
 *              its verdict (conn_judge.h), only its end is polled
 *   PENDING    wheel: AUTH_TIMEOUT, ping and pong                 LIVE, CLOSING, DEAD
 *   CATCHING   as LIVE; the fan-out passes it over, it reads from the   LIVE, CLOSING, DEAD
 *              ring itself (gateway/delivery/catchup.h)
 *   LIVE       wheel: token expiry, ping and pong, the end of a   CATCHING, CLOSING, DEAD
 *              message begun; user's list, rooms' listeners
 *   CLOSING    wheel: close deadline; Close is queued or sent,    LINGER, DEAD
 *              still in its rooms but skipped by the fan-out
 *   REPLYING   wheel: reply deadline; an HTTP answer is queued    LINGER, DEAD
 *   LINGER     wheel: linger deadline; write side is shut, what   DEAD
 *              still comes in is thrown away until end of file
 *   DEAD       dead list, until conn_reap() at the end of the turn FREE
 *
 * HEAD (100 Continue), PENDING, CATCHING, LIVE, REPLYING and CLOSING may also be on a flush list. Only conn_set_state() changes the state. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_TABLE_H
#define MOONX_GATEWAY_CONNECTION_CONN_TABLE_H

#include "common/wheel.h"
#include "gateway/connection/conn.h"
#include "gateway/connection/conn_defer.h"
#include "gateway/connection/conn_marks.h"
#include "gateway/connection/role_set.h"
#include "gateway/delivery/outq.h"
#include "gateway/delivery/slab.h"

enum conn_state {
    CONN_FREE,
    CONN_PROXY,
    CONN_TLS,
    CONN_HEAD,
    CONN_JUDGING,
    CONN_PENDING,
    CONN_CATCHING,
    CONN_LIVE,
    CONN_CLOSING,
    CONN_REPLYING,
    CONN_LINGER,
    CONN_DEAD,
    CONN_STATE_COUNT,
};

enum conn_flag {
    CONN_BLOCKED = 1u << 0, /* the socket is full: waits for EPOLLOUT, neither read nor flushed */
    CONN_AWAITING_PONG = 1u << 1,  /* a ping is out; `ping_tick` is the pong's deadline */
    CONN_CLOSE_QUEUED = 1u << 2,   /* our Close frame is in the queue or sent */
    CONN_CLOSE_RECEIVED = 1u << 3, /* the peer's Close has come */
    CONN_FLUSH_FIRST = 1u << 4,    /* on the first flush list (else, if on one, on the second) */
    CONN_FLUSH_LISTED = 1u << 5,
    CONN_INPUT_IS_HEAD = 1u << 6, /* `input` is a struct head_gate, else a struct ws_input */
    CONN_DEFLATE = 1u << 7,       /* permessage-deflate was negotiated */
    CONN_PROXIED = 1u << 8,       /* conn_proxy.h keeps what its proxy said */
    CONN_SECURE = 1u << 9,        /* has a TLS session (conn_tls.h) */
    CONN_ADMIN = 1u << 10,        /* came in at ADMIN_LISTEN */
    CONN_PONG_LATE = 1u << 11,    /* the pong's deadline was put off: `pong_acknowledged` counts */
    CONN_DEFERS = 1u << 12, /* its token waits for a verdict: conn_defer.h keeps what it says */
    CONN_UNREAD = 1u << 13, /* so much of that is kept that only its end is polled */
};

struct conn {
    uint32_t self; /* own index; first word: the slab's link while free */
    int32_t fd;
    uint64_t id;
    void *input; /* PROXY, HEAD: struct head_gate; PENDING..CLOSING: lent struct ws_input or NULL */
    struct wheel_link timer;
    uint32_t user;                     /* LIVE and after; 0: none */
    uint32_t user_next, user_previous; /* the user's list of connections */
    uint32_t members;                  /* first node of its room memberships (room.h); 0: none */
    uint32_t
        stamp; /* of the last record queued to it: once per event. CATCHING: index of its catchup */
    struct outq queue;
    uint32_t flush_next, flush_previous;
    uint32_t deadline_tick; /* wheel tick at which the state ends; 0: none */
    uint32_t ping_tick;     /* next ping, or the pong's deadline */
    uint32_t expires_s;     /* token expiry, wall seconds */
    uint32_t roles;         /* role_set index, 0: none */
    union {
        uint32_t dead_next; /* DEAD */
        uint32_t
            pong_acknowledged; /* CONN_PONG_LATE: bytes that had arrived then, the low 32 bits */
    };
    /* What it counts for in the limits, 0: nothing (shm/limit_table.h). An index has 21 bits. */
    uint32_t limit_address : 24;
    uint32_t limit_refusals : 8; /* messages refused, less those accepted since */
    uint32_t limit_user : 24;
    uint32_t limit_early : 8; /* messages before authentication */
    uint16_t room_count;      /* rooms joined, personal ones counted */
    uint16_t flags;           /* enum conn_flag */
    uint8_t state : 4;        /* enum conn_state */
    uint8_t failures : 4;     /* refused tokens */
    uint8_t personal;         /* ROOM_KIND_BIT()s of the personal rooms joined */
    uint16_t refresh_lead_s;  /* a new token is asked for so long before expires_s; 0: no more */
};
static_assert(sizeof(struct conn) <= 128, "an idle connection must stay small");

struct conn_tls_entry;

/* The TLS sessions (conn_tls.h). */
struct conn_tls_table {
    struct conn_tls_entry *entries; /* by connection index; NULL without TLS */
    uint32_t capacity;
    uint64_t turn_ns; /* spent on handshakes since conn_tls_begin_turn() */
};

struct conn_table {
    struct slab slab;
    struct conn_tls_table tls;
    struct role_set roles;
    struct conn_marks marks;
    uint64_t id_base; /* random: ids are unique over workers and hosts */
    uint64_t id_counter;
    uint32_t dead_first;
    unsigned auto_room_count;
    struct conn_proxied *proxied; /* conn_proxy.h; few at a time */
    struct conn_deferrals deferrals;
    int epoll_fd; /* client sockets, nested in libevent's base */
    struct event *epoll_event;
};

/* Without connections; one a worker, as long as that lives. -ENOMEM; -EIO: no random number. */
int conn_table_new(struct worker *worker, struct conn_table **out) MUST_CHECK;
void conn_table_free(struct worker *worker, struct conn_table *table);

static inline struct conn *conn_at(const struct worker *worker, uint32_t index) {
    return slab_at(&worker->conns->slab, index);
}

/* The options have changed: what the table has worked out from them. */
void conn_table_reloaded(struct worker *worker);

/* A WebSocket that is not closing. */
static inline bool conn_is_open(const struct conn *conn) {
    return conn->state >= CONN_PENDING && conn->state <= CONN_LIVE;
}

/* Takes the descriptor over: TLS or HEAD with its deadline. NULL (descriptor closed) when memory is out. */
struct conn *conn_new(struct worker *worker, int fd);

/* HEAD, under the deadline that runs already. -ENOMEM. */
int conn_begin_head(struct worker *worker, struct conn *conn) MUST_CHECK;

/* Where a connection begins once it is known whose it is; its HEAD needs conn_begin_head(). */
static inline enum conn_state conn_first_state(const struct worker *worker) {
    return worker->tls != NULL ? CONN_TLS : CONN_HEAD;
}
/* The one place that changes a state; keeps the gauges. */
void conn_set_state(struct worker *worker, struct conn *conn, enum conn_state state);
/* DEAD at once, without Close: resources go at conn_reap(). Safe at any moment, also twice. */
void conn_kill(struct worker *worker, struct conn *conn);
/* Frees the dead; at the end of a turn, when no loop holds an index. */
void conn_reap(struct worker *worker);

/* Queues one WebSocket frame (reply, ping, pong, Close) for the first flush list. -ENOMEM. */
int conn_queue_frame(struct worker *worker, struct conn *conn, uint8_t opcode,
                     struct span payload) MUST_CHECK;
/* Queues bytes as they are (HTTP). -ENOMEM. */
int conn_queue_bytes(struct worker *worker, struct conn *conn, struct span bytes) MUST_CHECK;
/* Everything queued is out: goes on with closing, if that was what it waited for. */
void conn_flushed(struct worker *worker, struct conn *conn);
/* Everything is said: shuts the write side and waits for the peer's end. */
void conn_linger(struct worker *worker, struct conn *conn);
/* The queue is full or cannot grow: drops what has not been begun, closes with 1013. */
void conn_too_slow(struct worker *worker, struct conn *conn);
/* The peer's Close has come, or a protocol error: answers with `code` (0: an empty Close). */
void conn_peer_closed(struct worker *worker, struct conn *conn, unsigned code);

/* Calls visit for every connection that is not FREE or DEAD. */
void conn_each(struct worker *worker, conn_visit *visit, void *context);
/* The same for one of `parts` of the table, beginning at `from` (at its begin when that is none of its places); where
 * the next part begins. */
uint32_t conn_each_part(struct worker *worker, uint32_t from, uint32_t parts, conn_visit *visit,
                        void *context);

#endif
