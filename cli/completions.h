/*
 * The files of completions/, made into arrays by the build.
 */
#ifndef CLI_COMPLETIONS_H
#define CLI_COMPLETIONS_H

#include <stddef.h>

extern const unsigned char completion_bash[];
extern const size_t completion_bash_size;
extern const unsigned char completion_zsh[];
extern const size_t completion_zsh_size;
extern const unsigned char completion_fish[];
extern const size_t completion_fish_size;

#endif /* CLI_COMPLETIONS_H */
