/* moonx-client: a WebSocket client for the gateway's own messages, for people and for scripts. */
#include "gateway/client/run.h"

#include <stdio.h>

int main(int argc, char **argv) {
    static struct arguments arguments;
    struct token token;
    arguments_parse(argc, argv, &arguments);
    if (arguments.token_file == NULL && (arguments.token == NULL || arguments.token[0] == '\0')) {
        fprintf(stderr, "moonx-client: no token: give --token, --token-file or MOONX_TOKEN\n");
        return ARGUMENTS_EXIT_USAGE;
    }
    int result = token_init(&token, arguments.token, arguments.token_file);
    if (result != 0) {
        fprintf(stderr, "moonx-client: %s%s: %s\n",
                arguments.token_file != NULL ? "--token-file " : "the token",
                arguments.token_file != NULL ? arguments.token_file : "",
                result == -EINVAL ? "is empty" : strerror(-result));
        return ARGUMENTS_EXIT_USAGE;
    }
    int status = run(&arguments, &token);
    token_done(&token);
    return status;
}
