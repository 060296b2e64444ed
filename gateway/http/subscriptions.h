/* Who listens to what, made from the answers of all workers (shm/survey.h): GET /debug/subscriptions, and GET
 * /connections with a query. Admin. Rooms are listed largest first, pages by `?limit=` and `?after=`; `?user=` gives that
 * user's sockets. An answer says which workers it covers and whether it is whole: of each worker the SURVEY_ROWS largest
 * rooms are known, so a count is exact where no worker has more rooms than that. Personal rooms are no objects and are
 * not listed. */
#ifndef MOONX_GATEWAY_HTTP_SUBSCRIPTIONS_H
#define MOONX_GATEWAY_HTTP_SUBSCRIPTIONS_H

#include "gateway/http/server.h"

/* What each page asks. 1: *page is filled; 0: nothing, the page answers at once; -EINVAL: a bad query. */
int subscriptions_ask(const struct http_request *request, struct server_survey *page) MUST_CHECK;
int subscriptions_ask_connections(const struct http_request *request,
                                  struct server_survey *page) MUST_CHECK;

/* The answers that stand under `number` for the asker, an index among the workers. */
void subscriptions_answer(const struct server_context *context, const struct server_survey *page,
                          uint32_t asker, uint64_t number, struct http_response *response);

#endif
