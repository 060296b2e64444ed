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
    for (size_t i = 0; i < ARRAY_LENGTH(indispensable); i++) {
        if (span_is(type, indispensable[i])) {
            return false;
        }
    }
    return message_row_of(type) != NULL;
}

static uint32_t bit_of(const struct message_row *row) {
    return 1u << (row - message_table);
}

int middleware_types_read(const char *list, uint32_t *denied, char *error, size_t error_size) {
    uint32_t bits = 0;
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
        bits |= bit_of(message_row_of(type));
    }
    *denied = bits;
    return 0;
}

bool middleware_types(const struct middleware_message *message) {
    if (message->type == NULL || (message->rules->denied & bit_of(message->type)) == 0) {
        return true;
    }
    reply_error(message->worker, message->conn, ERROR_MIDDLEWARE_REJECTED,
                "Messages of this type are not taken at the moment", message->ref);
    return false;
}
