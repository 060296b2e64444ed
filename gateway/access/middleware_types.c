/* Types of messages that the operator does not want now (MESSAGES_DENIED): publishing switched off in an incident, and
 * on again by a reload, while everybody stays connected. */
#include "gateway/access/middleware.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"

#include <stdio.h>

/* Without these nobody could come in, or stay. */
static const char *const indispensable[] = {"authenticate", "ping"};

/* Takes the next word off a list that stands apart by commas and blanks. */
static bool next_type(const char **list, struct span *type) {
    *list += strspn(*list, ", ");
    *type = (struct span){*list, strcspn(*list, ", ")};
    *list += type->length;
    return type->length > 0;
}

static bool may_be_denied(struct span type) {
    const struct message_row *row = message_table;
    for (size_t i = 0; i < ARRAY_LENGTH(indispensable); i++) {
        if (span_is(type, indispensable[i])) {
            return false;
        }
    }
    while (row->type != NULL && !span_is(type, row->type)) {
        row++;
    }
    return row->type != NULL;
}

int middleware_types_check(const char *list, char *error, size_t error_size) {
    struct span type;
    while (next_type(&list, &type)) {
        if (!may_be_denied(type)) {
            snprintf(error, error_size,
                     "MESSAGES_DENIED: \"" SPAN_FORMAT
                     "\" is no type of message that can be denied, "
                     "such as publish or typing",
                     SPAN_ARGS(type));
            return -EINVAL;
        }
    }
    return 0;
}

bool middleware_types(const struct middleware_message *message) {
    const char *list = message->rules->denied;
    struct span type;
    while (list != NULL && next_type(&list, &type)) {
        if (span_is(type, message->type)) {
            reply_error(message->worker, message->conn, ERROR_MIDDLEWARE_REJECTED,
                        "Messages of this type are not taken at the moment", message->ref);
            return false;
        }
    }
    return true;
}
