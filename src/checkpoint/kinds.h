/* What a value is called in Python's terms. */
#ifndef SFT_SRC_CHECKPOINT_KINDS_H
#define SFT_SRC_CHECKPOINT_KINDS_H

#include <sft/base.h>

#include "pickle/graph.h"

#define SFT_KIND_SIZE 128

/* "int", "argparse.Namespace": escaped, ended by NUL, cut if it is very long. */
void sft_kind_of(const sft_graph *graph, sft_ref ref, char kind[SFT_KIND_SIZE]);

#endif
