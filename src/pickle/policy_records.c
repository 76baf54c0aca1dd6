/*
 * Records: classes that real checkpoints hold beside their tensors, which do nothing when they are
 * made and given their state. They are clean, and dropped with a notice when a checkpoint is
 * converted. Exact pairs, sorted by module, then name.
 */
#include "pickle/policy.h"

#define RECORD(module, name, flags, why)                                                           \
    { module, name, SFT_POLICY_INERT, SFT_ROLE_NONE, flags, SFT_NO_DTYPE, why }

#define NEW SFT_POLICY_NEW
#define STATE SFT_POLICY_STATE

static const sft_policy_entry rows[] = {
    RECORD("argparse", "Namespace", NEW | STATE, "holds the options of a command line"),
};

const sft_policy_table sft_policy_records = {rows, sizeof rows / sizeof *rows};
