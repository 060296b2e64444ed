/* A POST to an admin path on its connection: waits for the body, hands it to gateway/admin/, answers at once or when the
 * handler knows. The head's deadline holds for the body too. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_ADMIN_H
#define MOONX_GATEWAY_CONNECTION_CONN_ADMIN_H

#include "gateway/admin/admin.h"

struct conn;

/* The head has come, to one of admin_table's paths; `client` is who asks. True: it is done with or answered later; false:
 * more of the body must come first. */
bool conn_admin_serve(struct worker *worker, struct conn *conn, const struct admin_row *row,
                      const struct address_client *client) MUST_CHECK;

/* What an ADMIN_LATER call has come to. Logs it, and answers if the connection is still there; *response is freed. */
void conn_admin_answer(const struct admin_call *call, struct http_response *response);

#endif
