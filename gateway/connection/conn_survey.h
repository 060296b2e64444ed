/* A page that all workers must be asked for (gateway/survey.h): its connection waits for the answers, unread. Used by
 * workers, from the state HEAD. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_SURVEY_H
#define MOONX_GATEWAY_CONNECTION_CONN_SURVEY_H

#include "gateway/http/server.h"
#include "gateway/worker.h"

struct conn;

/* Answers later, or 503 at once when too many wait. */
void conn_survey_begin(struct worker *worker, struct conn *conn,
                       const struct server_survey *survey);

#endif
