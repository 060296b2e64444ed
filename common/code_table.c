#include "common/code_table.h"

static const struct {
    const char *name, *message;
} error_codes[ERROR_CODE_COUNT] = {
#define X(name, message) [ERROR_##name] = {#name, message},
    ERROR_CODE_TABLE(X)
#undef X
};

static unsigned known(enum error_code code) {
    /* A number that no row has is a fault of ours; the client still gets a code that it knows. */
    return (unsigned)code < ERROR_CODE_COUNT ? (unsigned)code : ERROR_MESSAGE_PROCESSING_ERROR;
}

const char *error_code_name(enum error_code code) {
    return error_codes[known(code)].name;
}

const char *error_code_message(enum error_code code) {
    return error_codes[known(code)].message;
}
