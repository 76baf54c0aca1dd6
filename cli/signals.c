#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t caught;

static void note(int number) {
    caught = number;
}

void signals_catch(void) {
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct sigaction old;
        /* A signal that is ignored, as under nohup, stays so. */
        if (sigaction(wanted[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            struct sigaction action;
            memset(&action, 0, sizeof action);
            action.sa_handler = note;
            action.sa_flags = SA_RESTART;
            sigemptyset(&action.sa_mask);
            sigaction(wanted[i], &action, NULL);
        }
    }
}

bool signals_caught(void) {
    return caught != 0;
}

/* Whoever waits for us learns that it was the signal, and not an error of ours. */
void signals_deliver(void) {
    if (caught != 0) {
        signal(caught, SIG_DFL);
        raise(caught);
    }
}
