#include "gateway/message/notice.h"

#include "gateway/message/reply.h"

void notice_reconnect(struct worker *worker, struct conn *conn, long after_ms, const char *reason) {
    cJSON *data = cJSON_CreateObject();

    data = reply_data(data, reply_add_integer(data, "afterMs", after_ms) &&
                                cJSON_AddStringToObject(data, "reason", reason) != NULL);
    reply_send(worker, conn, "reconnect", data, NULL);
}

void notice_refresh(struct worker *worker, struct conn *conn, int64_t expires_in_ms) {
    cJSON *data = cJSON_CreateObject();

    data = reply_data(data, reply_add_integer(data, "expiresIn", expires_in_ms));
    reply_send(worker, conn, "token_refresh_required", data, NULL);
}

void notice_conflated(struct worker *worker, struct conn *conn, uint64_t count) {
    cJSON *data = cJSON_CreateObject();

    data = reply_data(data, reply_add_integer(data, "count", (int64_t)count) &&
                                cJSON_AddStringToObject(data, "reason", "CONFLATED") != NULL);
    reply_send(worker, conn, "skipped", data, NULL);
}

void notice_revoked(struct worker *worker, struct conn *conn, const char *room) {
    cJSON *data = cJSON_CreateObject();

    data =
        reply_data(data, cJSON_AddStringToObject(data, "channel", room) != NULL &&
                             cJSON_AddStringToObject(
                                 data, "reason", error_code_name(ERROR_PERMISSION_DENIED)) != NULL);
    reply_send(worker, conn, "unsubscribed", data, NULL);
}
