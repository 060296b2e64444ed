/* POST /admin/drain {}: this host sends its clients away and stops, as on SIGTERM. The supervisor does it: this worker
 * can only ask, in its own block. 202: it has been asked. */
#include "gateway/admin/admin.h"

#include <stdio.h>

enum admin_result admin_drain(struct admin_call *call, struct json_value data,
                              struct http_response *response) {
    struct json_value value;
    struct span key;
    size_t cursor = 0;

    if (json_next_member(data, &cursor, &key, &value) != 0) {
        http_response_error(response, 400, "The body must be empty or {}");
        return ADMIN_ANSWERED;
    }
    store_release(&call->worker->block->asked_drain, 1);
    admin_done(response, 202, "draining");
    return ADMIN_ANSWERED;
}
