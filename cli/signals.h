/*
 * Interrupts during work that must be undone before the program ends.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/* signals_catch() - from now on SIGINT, SIGTERM and SIGHUP are only noted. */
void signals_catch(void);

/* signals_caught() - whether one came. */
bool signals_caught(void);

/* signals_deliver() - ends the program by the signal that came, if one did. */
void signals_deliver(void);

#endif /* CLI_SIGNALS_H */
