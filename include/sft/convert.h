/*
 * Other checkpoint formats to safetensors: faithfully, or not at all.
 *
 * Understood are what torch.save writes (zip, legacy and tar), pickles of NumPy arrays, joblib,
 * .npy and .npz; TorchScript and what else cannot be vouched for only where the caller says so. The
 * source is scanned first (sft/scan.h; without the checksums of long members, which PyTorch does
 * not look at either) and nothing in it is ever executed. Bytes go from file to file: memory does
 * not grow with the model. The new file is compared with the source before it takes its name; until
 * then, and on any failure, an existing target stays as it was and nothing is left beside it.
 */
#ifndef SFT_CONVERT_H
#define SFT_CONVERT_H

#include <sft/base.h>
#include <sft/dtype.h>
#include <sft/header.h>
#include <sft/scan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sft_convert_options {
    size_t struct_size; /* sizeof(sft_convert_options) */
    /* The part of the checkpoint to convert, as a joined name: "state_dict", "optimizer.state".
     * NULL: all of it, without a wrapper that holds all tensors. */
    const char *key;
    const char *drop_prefix; /* taken from the front of names that have it; NULL: none */
    bool allow_unknown;      /* drop what nobody can vouch for; never what is dangerous */
    bool dry_run;            /* plan and report only: nothing is written */
    bool keep_existing;      /* never replace: SFT_ALREADY_EXISTS */
    bool durable;            /* flush files and folder to the disk before success */
    uint64_t max_shard_size; /* bytes; 0: one file (a sharded source: one for each of its own) */
    sft_scan_options scan;   /* policy and limits of the scan; its progress is not used */
    const sft_allocator *allocator; /* NULL: malloc */
    /* Called now and then, by one thread at a time, with bytes written or compared and bytes to
     * come to in all (0 while the source is being scanned); false ends with SFT_CANCELLED. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
} sft_convert_options;

#define SFT_CONVERT_OPTIONS                                                                        \
    {                                                                                              \
        sizeof(sft_convert_options), NULL, NULL, false, false, false, false, 0, SFT_SCAN_OPTIONS,  \
            NULL, NULL, NULL                                                                       \
    }

/* What was done, or would be. It never changes: any number of threads may look at it at once. */
typedef struct sft_conversion sft_conversion;

/* A tensor of the result, and where it came from. Names are raw bytes from outside. */
typedef struct sft_converted {
    const char *name; /* UTF-8, in the result */
    size_t name_length;
    const char *source_name; /* joined keys in the source, before wrappers and prefixes went */
    size_t source_name_length;
    sft_dtype dtype;
    uint32_t rank;
    const uint64_t *shape;
    const uint64_t *strides; /* in the source, in elements; NULL where dense */
    uint64_t size;           /* bytes */
    const char *source_file; /* path */
    const char *member;      /* the file in the archive that holds its bytes, escaped; NULL: none */
    bool packed;             /* its bytes are compressed, or written as text */
    uint64_t source_offset;  /* of its first byte: in the source file, or where `packed` in the
                                member as it is when it is unpacked */
    uint64_t file;           /* which output file: for sft_conversion_file() */
} sft_converted;

/* A tensor that is not written, since another has the same bytes, shape and place. */
typedef struct sft_tie {
    const char *dropped;
    size_t dropped_length;
    const char *kept;
    size_t kept_length;
} sft_tie;

/* Something in the source that is no tensor, and is not in the result. */
typedef struct sft_dropped {
    const char *name; /* joined keys, raw bytes */
    size_t name_length;
    const char *kind; /* "int", "str", "argparse.Namespace"…; escaped, ends with NUL */
} sft_dropped;

/*
 * sft_convert() - converts a checkpoint.
 *
 * @source: a file; or a folder or index of sharded ones (pytorch_model.bin.index.json)
 * @target: the file to be made, or a folder for it; a folder where the result is sharded, or may be
 *     (max_shard_size), which is made if it is not there. DIR/NAME.safetensors then stands for
 *     DIR and for files that begin with NAME in place of "model". NULL: beside the source, as the
 *     hub names it: model.safetensors for pytorch_model.bin, NAME.safetensors for NAME.pt; for a
 *     folder the folder itself. Never the source: SFT_INVALID_ARGUMENT
 * @options: NULL for defaults
 * @conversion: NULL, or receives what was done, which the caller frees with sft_conversion_free().
 *     Also set where the source is refused for what the scan found
 * @error: NULL, or receives what is wrong, in which file, with which tensor
 *
 * All files of a result are written and compared before the first gets its name. If naming a later
 * one fails, those that took a free name are removed; one that was replaced cannot come back.
 *
 * Sharded results are named model-00001-of-0000N.safetensors with model.safetensors.index.json;
 * when they are split by max_shard_size, as huggingface_hub splits them.
 *
 * Returns SFT_OK; SFT_DANGEROUS_SOURCE or SFT_UNVOUCHED_SOURCE (see sft_conversion_scan());
 * SFT_MALFORMED_SOURCE, SFT_UNSUPPORTED_SOURCE, SFT_SOURCE_LIMIT, SFT_UNSUPPORTED_TENSOR,
 * SFT_TENSOR_BOUNDS, SFT_STORAGE_SIZE, SFT_MISSING_STORAGE; SFT_DUPLICATE_NAME, SFT_RESERVED_NAME,
 * SFT_INVALID_NAME (of tensors); SFT_NOT_FOUND (`key`); SFT_VERIFY_FAILED; SFT_INVALID_INDEX,
 * SFT_UNSAFE_SHARD_NAME, SFT_MISSING_SHARD, SFT_TENSOR_NOT_IN_SHARD, SFT_AMBIGUOUS_FOLDER (a
 * sharded source), or what is wrong with the JSON of its index; SFT_SIZE_OVERFLOW,
 * SFT_HEADER_TOO_LARGE; SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_UNSUPPORTED (a build without
 * readers), SFT_CANCELLED, SFT_OPEN_FAILED, SFT_READ_FAILED, SFT_FILE_SHRANK, SFT_NOT_A_FILE,
 * SFT_ALREADY_EXISTS, SFT_WRITE_FAILED. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_convert(const char *source, const char *target,
                                            const sft_convert_options *options,
                                            sft_conversion **conversion, sft_error *error);

/* sft_conversion_free() - NULL is fine. */
SFT_API void sft_conversion_free(sft_conversion *conversion);

/* The tensors of the result, in the order of their names (of a sharded result: file by file). */
SFT_API uint64_t sft_conversion_count(const sft_conversion *conversion);
SFT_API const sft_converted *sft_conversion_at(const sft_conversion *conversion, uint64_t index);

SFT_API uint64_t sft_conversion_ties(const sft_conversion *conversion);
SFT_API const sft_tie *sft_conversion_tie(const sft_conversion *conversion, uint64_t index);

/* What was dropped: how many, and those that are kept to be named (the first 1,000). */
SFT_API uint64_t sft_conversion_dropped_total(const sft_conversion *conversion);
SFT_API uint64_t sft_conversion_dropped_count(const sft_conversion *conversion);
SFT_API const sft_dropped *sft_conversion_dropped(const sft_conversion *conversion, uint64_t index);

/* The key that was unwrapped, "state_dict" say, ended by NUL; NULL if none was. */
SFT_API const char *sft_conversion_wrapper(const sft_conversion *conversion);

/* The metadata that every file of the result has. */
SFT_API uint64_t sft_conversion_metadata_count(const sft_conversion *conversion);
SFT_API const sft_metadata_entry *sft_conversion_metadata(const sft_conversion *conversion,
                                                          uint64_t index);

/* The files of the result, the index not among them; their paths end with NUL. */
SFT_API uint64_t sft_conversion_files(const sft_conversion *conversion);
SFT_API const char *sft_conversion_file(const sft_conversion *conversion, uint64_t index);

/* The path of the index, or NULL. */
SFT_API const char *sft_conversion_index_path(const sft_conversion *conversion);

/* Bytes of all tensors of the result. */
SFT_API uint64_t sft_conversion_bytes(const sft_conversion *conversion);

/* The format of the source, as sft_scan_format() has it. Static. */
SFT_API const char *sft_conversion_format(const sft_conversion *conversion);

/*
 * The sources that were scanned, in their order: one, or one a shard. sft_conversion_scan() lives
 * as long as the conversion; its findings say what was refused, or what was dropped.
 */
SFT_API uint64_t sft_conversion_sources(const sft_conversion *conversion);
SFT_API const char *sft_conversion_source(const sft_conversion *conversion, uint64_t index);
SFT_API const sft_scan_result *sft_conversion_scan(const sft_conversion *conversion,
                                                   uint64_t index);

#ifdef __cplusplus
}
#endif

#endif /* SFT_CONVERT_H */
