/* What the server says to one client: the envelope around data made with cJSON. `data` is taken over. `ref`
 * may be NULL. When memory runs out the reply is lost, the connection is closed with 1011. */
#ifndef MOONX_GATEWAY_MESSAGE_REPLY_H
#define MOONX_GATEWAY_MESSAGE_REPLY_H

#include "common/code_table.h"
#include "gateway/worker.h"

#include <cjson/cJSON.h>

void reply_send(struct worker *worker, struct conn *conn, const char *type, cJSON *data, const char *ref);
/* message NULL: the code's own sentence. */
void reply_error(struct worker *worker, struct conn *conn, enum error_code code, const char *message,
                 const char *ref);
/* First message of a connection: `auth_required` {timeout, connectionId}. */
void reply_auth_required(struct worker *worker, struct conn *conn);

#endif
