/* One user's conversation with a gateway, over as many connections as it takes: signs in, says what there is to say,
 * keeps the position, follows what the server wants (a new token, another time to come back) and knows when all that was
 * awaited has come. main() owns the only one; the sockets and the waiting are run.c's. Single-threaded. */
#ifndef MOONX_GATEWAY_CLIENT_SESSION_H
#define MOONX_GATEWAY_CLIENT_SESSION_H

#include "gateway/client/arguments.h"
#include "gateway/client/client_position.h"
#include "gateway/client/latency.h"
#include "gateway/client/requests.h"
#include "gateway/client/subscriptions.h"
#include "gateway/client/token.h"
#include "gateway/client/ws_client.h"

#define SESSION_LATER UINT64_MAX

/* What a message has done to the connection. */
enum session_verdict {
    SESSION_GOES_ON,
    SESSION_COMPLETE,   /* all that was awaited has come */
    SESSION_COME_BACK,  /* this connection is of no use, the next one may be */
    SESSION_TURNED_OUT, /* no connection will be */
};

struct session {
    const struct arguments *arguments;
    struct token *token;
    struct ws_client *client; /* NULL between connections */
    struct client_position *position;
    struct subscriptions subscriptions;
    struct requests requests;
    struct latency latency;
    enum session_verdict verdict;
    bool signed_in;       /* on this connection */
    bool ever;            /* on any */
    bool input_ended;     /* nothing more will be asked */
    uint32_t expects_met; /* by bit */
    unsigned long events, connections, skipped;
    uint64_t replay_left;       /* events that follow `resumed` and are old */
    uint64_t first_ms, last_ms; /* when the first and the last event came */
    uint64_t back_at_ms;        /* the server's wish; 0: none */
    uint64_t renew_at_ms;       /* a new token is wanted: when to look again; 0: none is */
    uint64_t ping_at_ms;
    uint64_t heard_ms;  /* when the last message came */
    uint64_t pinged_ns; /* 0: no ping is out */
    char auth_id[COMPOSE_ID_BYTES], ping_id[COMPOSE_ID_BYTES];
};

/* -ENOMEM. Arguments and token must outlive it. */
int session_init(struct session *session, const struct arguments *arguments,
                 struct token *token) MUST_CHECK;
void session_done(struct session *session);

/* A connection has been opened, or has gone. */
void session_connected(struct session *session, struct ws_client *client);
void session_lost(struct session *session);

/* Takes a message over that is to be sent, now or as soon as it is signed in. Not when requests_full(). */
void session_say(struct session *session, struct composed *message);

/* Each text message that comes: a ws_client_message. Once the verdict has fallen, nothing is shown or counted. */
void session_message(void *context, struct span text);

/* What is due by time: pings, the look for a new token. */
void session_tick(struct session *session, uint64_t now_ms);
/* When session_tick() wants to be called next; SESSION_LATER: needs no time. */
uint64_t session_next_ms(const struct session *session);
/* The server answers nothing any more, though TCP has not noticed. */
bool session_is_dead(const struct session *session, uint64_t now_ms);

/* Nothing is missing: --count, each --expect, and with --once or at the end of the input each answer. */
bool session_complete(const struct session *session);
/* Says on stderr what is missing, a line each. */
void session_tell_missing(const struct session *session);
/* An answer was an error, where that counts. */
bool session_refused(const struct session *session);

#endif
