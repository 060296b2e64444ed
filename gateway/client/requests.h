/* What the user has asked and what has not been answered yet: kept from the moment it was composed until its answer has
 * come, so that a broken connection loses nothing: it is sent again on the next one (a `publish` with the same id counts
 * once). In order of sending, bounded. Belongs to a session. */
#ifndef MOONX_GATEWAY_CLIENT_REQUESTS_H
#define MOONX_GATEWAY_CLIENT_REQUESTS_H

#include "gateway/client/compose.h"
#include "gateway/client/envelope.h"

#define REQUESTS_MAX           128u
#define REQUESTS_ANSWERS_BYTES 128

struct ws_client;

struct request {
    struct composed message;
    uint64_t sent_ns; /* 0: not on this connection */
};

struct requests {
    struct request list[REQUESTS_MAX];
    unsigned count;
    unsigned long errors; /* answers that were `error` */
};

void requests_free(struct requests *requests);

bool requests_full(const struct requests *requests);
/* Takes the message over. Not when full. */
void requests_add(struct requests *requests, struct composed *message);

/* Sends what was not sent yet. `typing` has no answer, so it is not kept. -errno of ws_client_send_text(). */
int requests_send(struct requests *requests, struct ws_client *client) MUST_CHECK;
/* The connection has gone: all of them are to be sent again. */
void requests_lost(struct requests *requests);

/* Is the message an answer? Then its request is done, and `answers` says what it answers and how long it took. */
bool requests_answer(struct requests *requests, const struct envelope *envelope,
                     char answers[REQUESTS_ANSWERS_BYTES]);

#endif
