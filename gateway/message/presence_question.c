#include "gateway/message/presence_question.h"

#include "gateway/connection/conn.h"
#include "gateway/message/reply.h"

#include <stdlib.h>

struct presence_question *presence_question_new(struct worker *worker, const struct conn *conn,
                                                const cJSON *about, const char *ref) {
    struct presence_question *question = calloc(1, sizeof(*question));

    if (question == NULL) {
        return NULL;
    }
    question->worker = worker;
    question->conn_id = conn_id(conn);
    question->conn_index = conn_index(conn);
    question->about = cJSON_Duplicate(about, true);
    question->ref = ref != NULL ? strdup(ref) : NULL;
    if (question->about == NULL || (ref != NULL && question->ref == NULL)) {
        presence_question_free(question);
        return NULL;
    }
    return question;
}

void presence_question_free(struct presence_question *question) {
    if (question != NULL) {
        cJSON_Delete(question->about);
        free(question->ref);
        free(question);
    }
}

void presence_question_refuse(struct presence_question *question, struct worker *worker,
                              struct conn *conn, int error, const char *ref) {
    reply_error(worker, conn,
                error == -EAGAIN ? ERROR_SERVICE_UNAVAILABLE : ERROR_MESSAGE_PROCESSING_ERROR, NULL,
                ref);
    presence_question_free(question);
}

void presence_question_answer(struct presence_question *question, bool known, cJSON *data) {
    struct worker *worker = question->worker;
    struct conn *conn = conn_find(worker, question->conn_index, question->conn_id);

    if (conn != NULL && known) {
        reply_send(worker, conn, "presence", data, question->ref);
    } else if (conn != NULL) {
        reply_error(worker, conn, ERROR_SERVICE_UNAVAILABLE, NULL, question->ref);
    } else {
        cJSON_Delete(data);
    }
    presence_question_free(question);
}
