/* What an operator does by POST: one table of paths, one file each. A request is let in (an administrator, and no
 * foreign web page), its body is one JSON object, strictly read; the answer is JSON too, and what was done by whom is
 * in the log, whatever came of it. Used by workers; a call lives until it is answered. */
#ifndef MOONX_GATEWAY_ADMIN_ADMIN_H
#define MOONX_GATEWAY_ADMIN_ADMIN_H

#include "common/json.h"
#include "gateway/access/address_client.h"
#include "gateway/http/http_response.h"
#include "gateway/worker.h"

#define ADMIN_WHO_BYTES  80
#define ADMIN_WHAT_BYTES 400

struct admin_call {
    struct worker *worker;
    const struct admin_row *row;
    uint32_t conn_index; /* who asks may have gone before the answer */
    uint64_t conn_id;
    char who[ADMIN_WHO_BYTES];
    char what
        [ADMIN_WHAT_BYTES]; /* for the log: the handler says it; never a secret, never a payload */
};

enum admin_result {
    ADMIN_ANSWERED, /* *response is filled */
    ADMIN_LATER, /* the handler has a copy of the call and will call conn_admin_answer() with it */
};

/* `data`: the body, an object that has passed json_check(); an empty body is an empty object. */
typedef enum admin_result admin_handler(struct admin_call *call, struct json_value data,
                                        struct http_response *response);

struct admin_row {
    const char *path;
    const char *summary;
    admin_handler *handle;
};

/* Ends with a row whose path is NULL. */
extern const struct admin_row admin_table[];

/* NULL when it is none of these paths. */
const struct admin_row *admin_find(struct span path);

/* False: *response says why not, before the body has been looked at. */
bool admin_allows(const struct worker *worker, const struct http_request *request,
                  const struct address_client *client, struct http_response *response);

/* Does it. call->who, row, worker and connection are filled in. */
enum admin_result admin_serve(struct admin_call *call, struct span body,
                              struct http_response *response);

/* Who it is, for the log: the address, and whether a token was shown. */
void admin_name(const struct http_request *request, const struct address_client *client,
                char who[ADMIN_WHO_BYTES]);

/* One line: who did what, and what came of it. admin_serve() does it for what is answered at once. */
void admin_audit(const struct admin_call *call, unsigned status);

/* {"status":"ok"} and that status code. */
void admin_done(struct http_response *response, unsigned status, const char *text);

admin_handler admin_revoke, admin_disconnect, admin_publish, admin_drain, admin_log_level;

#endif
