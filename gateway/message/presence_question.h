/* A `presence` question under way: its connection may go meanwhile, and its place be another's. */
#ifndef MOONX_GATEWAY_MESSAGE_PRESENCE_QUESTION_H
#define MOONX_GATEWAY_MESSAGE_PRESENCE_QUESTION_H

#include "gateway/worker.h"

#include <cjson/cJSON.h>

struct presence_question {
    struct worker *worker;
    uint64_t conn_id;
    uint32_t conn_index;
    cJSON *about; /* the users, an array of strings, or the room, a string */
    char *ref;    /* NULL: none */
};

/* Copies both. NULL: memory is out. */
struct presence_question *presence_question_new(struct worker *worker, const struct conn *conn,
                                                const cJSON *about, const char *ref);
void presence_question_free(struct presence_question *question);

/* It could not be asked: SERVICE_UNAVAILABLE (-EAGAIN) or MESSAGE_PROCESSING_ERROR; frees it, which may be NULL. */
void presence_question_refuse(struct presence_question *question, struct worker *worker,
                              struct conn *conn, int error, const char *ref);
/* Sends `presence` with the data (taken over; NULL: memory is out), or with `known` false SERVICE_UNAVAILABLE, to who has
 * asked, if he is still there; frees it. */
void presence_question_answer(struct presence_question *question, bool known, cJSON *data);

#endif
