/* POST /admin/log-level {"level"}: all processes of this host log so much from now on, those that are started later too,
 * until the gateway stops. The supervisor passes it on: this worker can only ask, in its own block. */
#include "common/log.h"
#include "gateway/admin/admin.h"

#include <stdio.h>

enum admin_result admin_log_level(struct admin_call *call, struct json_value data,
                                  struct http_response *response) {
    char word[8] = "";
    struct json_value level, other;
    struct span key;
    size_t cursor = 0;
    int members = 0, found = -1;

    while (json_next_member(data, &cursor, &key, &other) == 1) {
        members++;
    }
    if (members == 1 && json_get(data, "level", &level) == 1) {
        long length = json_unescape(level, word, sizeof(word) - 1);
        word[length > 0 ? length : 0] = '\0';
        found = log_level_of(word);
    }
    if (found < 0) {
        http_response_error(response, 400,
                            "The body must be {\"level\":\"error\"}, warn, info or debug");
        return ADMIN_ANSWERED;
    }
    snprintf(call->what, sizeof(call->what), "%s", word);
    store_release(&call->worker->block->asked_log_level, (uint32_t)found + 1);
    admin_done(response, 200, word);
    return ADMIN_ANSWERED;
}
