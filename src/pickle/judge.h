/*
 * From effects to judgements: what each effect of a pickle means under the policy, in words.
 */
#ifndef SFT_SRC_PICKLE_JUDGE_H
#define SFT_SRC_PICKLE_JUDGE_H

#include <sft/base.h>
#include <sft/scan.h>

#include "pickle/machine.h"
#include "pickle/policy.h"

typedef struct sft_judgement {
    sft_severity severity;
    const char *code;         /* static; the list is in sft/scan.h */
    const sft_effect *effect; /* NULL where the stream as a whole is to blame */
    uint64_t at;              /* of the opcode */
    const char *opcode;       /* its name, or NULL */
    const char *global;       /* "os.system", escaped, or NULL; lives for the call */
    const char *call;   /* "os.system('id')", escaped, cut to a length people can read, or NULL */
    const char *detail; /* one sentence for people */
} sft_judgement;

/* Text that a caller should walk as a file of its own: it is handed to a loader. */
typedef struct sft_handed {
    sft_ref text;   /* of which sft_bytes_of() gives the bytes; or a STR */
    bool to_loader; /* to torch.storage._load_from_bytes, whose verdict is that of the bytes */
    uint64_t at;    /* of the call */
} sft_handed;

typedef struct sft_judge {
    const sft_policy *policy;      /* or NULL */
    const sft_pickle_input *input; /* for texts that were left in it, to show their beginning */
    uint64_t input_size; /* of the whole: bounds integer arguments such as bytearray(10**12) */
    void *context;
    /* Called for each judgement, in the order of the stream; false ends the judging. */
    bool (*found)(void *context, const sft_judgement *judgement);
    /* Called for each text that is handed to a loader (dangerous and unknown calls included);
     * may be NULL. The same text is given once for each kind of call. */
    bool (*handed)(void *context, const sft_handed *handed);
    const sft_allocator *allocator; /* NULL: malloc; a byte for each value is taken */
} sft_judge;

/*
 * Judges all effects of a pickle, also one that broke; that it broke is for the caller to say. What
 * is clean gives no judgement. Time is linear in the effects and values. Returns SFT_OK, or
 * SFT_NO_MEMORY.
 */
sft_status sft_judge_pickle(const sft_pickle *pickle, const sft_judge *judge, sft_error *error);

/*
 * The bytes that a value is, where that is plain: BYTES, BYTEARRAY, OLD_STR as they are;
 * _codecs.encode(STR, 'latin1'), bytes(…) and bytearray(…) of such. *latin1 tells that the text is
 * UTF-8 of which each character is one byte. False for all else.
 */
bool sft_bytes_of(const sft_graph *graph, sft_ref ref, sft_ref *text, bool *latin1);

/*
 * Writes a value as Python would print it, escaped, cut where it gets long or deep: for people.
 * Always ends with NUL if size > 0; returns the length of what was written.
 */
size_t sft_show_value(const sft_graph *graph, const sft_pickle_input *input, sft_ref ref, char *to,
                      size_t size);

#endif
