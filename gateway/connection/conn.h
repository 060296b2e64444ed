/* A client connection as its messages see it: identity, rooms, sending and closing. The layout and the
 * life cycle are in conn_table.h; only conn_set_state() changes the state. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_H
#define MOONX_GATEWAY_CONNECTION_CONN_H

#include "common/code_table.h"
#include "gateway/access/identity.h"
#include "gateway/access/policy.h"
#include "gateway/worker.h"

#define CONN_ID_BYTES 24

struct position_claim;

/* "c" and 16 hex digits: the connectionId on the wire and in the log. */
void conn_id_text(const struct conn *conn, char text[CONN_ID_BYTES]);
uint64_t conn_id(const struct conn *conn);
/* For whoever must remember a connection over turns: it may have gone meanwhile, and its place be another's. NULL
 * then, and when it is closing. */
uint32_t conn_index(const struct conn *conn);
struct conn *conn_find(const struct worker *worker, uint32_t index, uint64_t id);

bool conn_authenticated(const struct conn *conn);
struct span conn_user_id(const struct worker *worker, const struct conn *conn); /* empty before */
/* Up to `most` roles of its token into roles[]; the spans live as long as the connection. */
unsigned conn_roles(const struct worker *worker, const struct conn *conn, struct span *roles,
                    unsigned most);
/* The rooms that claims of its token list, as identity.h has them; as long. */
struct span conn_room_claims(const struct worker *worker, const struct conn *conn);
/* Who it is to the room policy; roles[] is the caller's, IDENTITY_ROLES_MAX of them. */
static inline struct policy_subject conn_subject(const struct worker *worker,
                                                 const struct conn *conn, struct span *roles) {
    return (struct policy_subject){.user_id = conn_user_id(worker, conn),
                                   .role_count =
                                       conn_roles(worker, conn, roles, IDENTITY_ROLES_MAX),
                                   .roles = roles,
                                   .room_claims = conn_room_claims(worker, conn)};
}

/* Makes the connection the user's: PENDING becomes LIVE, the deadline becomes the token's expiry.
 * Calling it on an authenticated connection is a refresh: -EPERM when the user is another.
 * -EDQUOT when the user has as many connections as he may. -ENOMEM. */
int conn_set_identity(struct worker *worker, struct conn *conn,
                      const struct identity *identity) MUST_CHECK;

/* The token of its `authenticate` can't be judged at once: messages behind it wait until conn_verdict_given() and are
 * handled then, in order. Before authentication only: a refresh stops nobody. */
void conn_await_verdict(struct conn *conn);
void conn_verdict_given(struct worker *worker, struct conn *conn);

/* Counts one refused token; closes with 1008 "Authentication failed" at the third. */
void conn_authentication_failed(struct worker *worker, struct conn *conn);

/* Rooms, by full name (`prices`, `orders:42`); the caller has asked the policy. 1: joined; 0: was in it;
 * -ENOMEM; -EPERM: another user's personal room. */
int conn_join(struct worker *worker, struct conn *conn, struct span room) MUST_CHECK;
/* 1: left; 0: was not in it. */
int conn_leave(struct worker *worker, struct conn *conn, struct span room);
bool conn_in_room(const struct worker *worker, const struct conn *conn, struct span room);
/* Each room's name; personal rooms first, then in the order of joining. */
typedef void conn_room_visit(void *context, struct span room);
void conn_each_room(const struct worker *worker, const struct conn *conn, conn_room_visit *visit,
                    void *context);
/* Calls visit for each connection of this user that is open and in this room. The visitor may make it leave. */
typedef void conn_visit(struct worker *worker, struct conn *conn, void *context);
void conn_each_of_user(struct worker *worker, struct span user_id, struct span room,
                       conn_visit *visit, void *context);
/* Rooms joined by subscribe, for ws_max_subscriptions (automatic ones do not count). */
unsigned conn_room_count(const struct worker *worker, const struct conn *conn);

/* What it has been sent so far, as JSON, good until the next call. False: it is not told now (not authenticated, or
 * catching up: the worker's own position would claim what has not been sent). */
bool conn_position(struct worker *worker, const struct conn *conn, struct span *out) MUST_CHECK;
/* No events until conn_resume(): what is joined meanwhile counts for it. */
void conn_hold(struct worker *worker, struct conn *conn);
/* The same for a client that may ask for a resume in its next message: no events for 0.2 s and two round trips,
 * or until conn_moment_over(). */
void conn_hold_a_moment(struct worker *worker, struct conn *conn);
/* It has said something that asks for no resume: the moment is over, events go out. */
void conn_moment_over(struct worker *worker, struct conn *conn);
/* `authenticate` and what it named have been answered: snapshots of the rooms joined by it come now. */
void conn_answered(struct worker *worker, struct conn *conn);
/* Answers with `resumed`, then come the events missed since the position (taken over), then live ones. */
void conn_resume(struct worker *worker, struct conn *conn, struct position_claim *claim,
                 const char *ref);
/* It has just joined the room: queues the room's current values (delivery/snapshot.h). */
void conn_send_snapshot(struct worker *worker, struct conn *conn, struct span room);

/* Queues one text frame (copied), to be written before fan-out. Nothing is sent once closing has begun. */
void conn_send_text(struct worker *worker, struct conn *conn, struct span payload);

/* Flushes what is queued, sends Close with code and reason (at most 123 bytes), waits for the peer's Close
 * or a deadline, then closes. A second call changes nothing. */
void conn_close(struct worker *worker, struct conn *conn, enum close_code code, const char *reason);

#endif
