/*
 * What the command's exit status says. Programs rely on it.
 */
#ifndef CLI_EXITS_H
#define CLI_EXITS_H

enum exit_code {
    EXIT_FINE = 0,
    EXIT_NO = 1,        /* the answer is no: invalid, different, absent */
    EXIT_UNVOUCHED = 2, /* nobody can vouch for the input */
    EXIT_TROUBLE = 3,   /* could not be read or done */
    EXIT_USAGE = 64     /* the command line is wrong */
};

/* exit_worse() - of two inputs' outcomes the one that counts: 1, then 2, then 3. */
static inline int exit_worse(int a, int b) {
    if (a == EXIT_FINE || b == EXIT_FINE) {
        return a == EXIT_FINE ? b : a;
    }
    return a < b ? a : b;
}

#endif /* CLI_EXITS_H */
