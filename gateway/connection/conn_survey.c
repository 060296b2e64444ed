#include "gateway/connection/conn_survey.h"

#include "gateway/connection/conn_answer.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/http/subscriptions.h"
#include "gateway/survey.h"

#include <stdlib.h>

struct call {
    struct server_survey survey;
    uint32_t conn_index; /* who asks may have gone before the answer */
    uint64_t conn_id;
};

static void on_answers(struct worker *worker, uint64_t number, void *context);

void conn_survey_begin(struct worker *worker, struct conn *conn,
                       const struct server_survey *survey) {
    struct call *call = malloc(sizeof *call);
    if (call != NULL) {
        *call = (struct call){*survey, conn->self, conn->id};
    }
    if (call == NULL || survey_begin(worker, &survey->question, on_answers, call) != 0) {
        free(call);
        conn_answer_error(worker, conn, 503, "Too many such pages are being made",
                          "Retry-After: 1\r\n");
        return;
    }
    conn_set_state(worker, conn, CONN_REPLYING);
    conn_timers_set_deadline(worker, conn, CONN_LATER_TIMEOUT_MS);
}

static void on_answers(struct worker *worker, uint64_t number, void *context) {
    struct call *call = context;
    struct conn *conn = number != 0 ? conn_at(worker, call->conn_index) : NULL;

    if (conn != NULL && conn->state == CONN_REPLYING && conn->id == call->conn_id) {
        const struct server_context page = {.view = &worker->view};
        struct http_response response = {0};
        subscriptions_answer(&page, &call->survey, worker->heritage.index, number, &response);
        conn_answer_page(worker, conn, &response);
        http_response_done(&response);
    }
    free(call);
}
