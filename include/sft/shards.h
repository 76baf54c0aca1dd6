/*
 * A model that lies in several files, read as one.
 *
 * Large models are split into shards, with an index beside them, a JSON file
 * (model.safetensors.index.json) that says in "weight_map" which file holds which
 * tensor. All of it comes from strangers: the names of shards are plain file
 * names in the index's folder, or they are refused.
 */
#ifndef SFT_SHARDS_H
#define SFT_SHARDS_H

#include <sft/base.h>
#include <sft/header.h>
#include <sft/reader.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sft_model sft_model;

typedef struct sft_model_options {
    size_t struct_size; /* sizeof(sft_model_options) */
    sft_access access;
    sft_limits limits;              /* of each shard; header_bytes also of the index */
    const sft_allocator *allocator; /* NULL: malloc */
    /*
     * Called for every defect as it is found; opening then goes on to look for more, and fails
     * in the end with the first. NULL: the first defect ends it. The error lives for the call only.
     */
    void (*on_defect)(void *context, const sft_error *error);
    void *on_defect_context;
    bool ignore_total_size; /* accept an index whose total_size is wrong: some tools wrote such */
    bool writable;          /* map copy-on-write, for sft_data_writable() */
    bool no_descriptor;     /* as in sft_open_options: keep none of a shard that is mapped */
} sft_model_options;

#define SFT_MODEL_OPTIONS                                                                          \
    {                                                                                              \
        sizeof(sft_model_options), SFT_ACCESS_AUTO, {0, 0, 0, 0}, NULL, NULL, NULL, false, false,  \
            false                                                                                  \
    }

/* A tensor of a model, and the file that holds it. */
typedef struct sft_model_tensor {
    const sft_tensor *tensor;
    const sft_file *file;
    uint64_t shard; /* for sft_model_shard() and sft_model_shard_path() */
} sft_model_tensor;

/*
 * sft_model_open() - opens a model and checks it whole: each shard by the rules
 * of the format, and the index against the shards.
 *
 * @path: a .safetensors file (a model of one shard), an *.index.json, or a folder. In a
 *     folder, model.safetensors.index.json is taken, else the only *.safetensors.index.json,
 *     else every *.safetensors file. Names that begin with a dot do not count.
 * @options: NULL for defaults
 * @model: receives the handle, which the caller closes with sft_model_close()
 * @error: NULL, or receives what is wrong, in which file, where
 *
 * Returns SFT_OK, whatever sft_open() returns, SFT_NO_SHARDS, SFT_AMBIGUOUS_FOLDER, or any
 * status from 400 to 406. A defect of the index's JSON is reported as that of a header is:
 * SFT_INVALID_UTF8, SFT_INVALID_JSON, SFT_DUPLICATE_KEY… Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_model_open(const char *path, const sft_model_options *options,
                                               sft_model **model, sft_error *error);

/*
 * sft_model_open_files() - the same for shards that the caller names. No index:
 * only that no tensor stands in two of them is checked.
 *
 * @paths, @count: the files; their order is kept; at least one
 */
SFT_API SFT_MUST_USE sft_status sft_model_open_files(const char *const *paths, uint64_t count,
                                                     const sft_model_options *options,
                                                     sft_model **model, sft_error *error);

/* sft_model_close() - closes every shard. NULL is fine. */
SFT_API void sft_model_close(sft_model *model);

/*
 * All that follows reads a model, which never changes: any number of threads at
 * once. What it returns lives as long as the model does.
 */

/* sft_model_count() - how many tensors there are, all shards together. */
SFT_API uint64_t sft_model_count(const sft_model *model);

/*
 * sft_model_at() - a tensor by its place: shard after shard (sorted by file name,
 * or as the caller gave them), in each the order of the file. False if index is too large.
 */
SFT_API bool sft_model_at(const sft_model *model, uint64_t index, sft_model_tensor *tensor);

/* sft_model_find() - the tensor of a name (bytes, length). False if there is none. Constant time.
 */
SFT_API bool sft_model_find(const sft_model *model, const char *name, size_t length,
                            sft_model_tensor *tensor);

/* sft_model_shards() - how many files there are. */
SFT_API uint64_t sft_model_shards(const sft_model *model);

/* sft_model_shard() - one of the files, NULL if shard is too large. */
SFT_API const sft_file *sft_model_shard(const sft_model *model, uint64_t shard);

/* sft_model_shard_path() - its path, ended by NUL; NULL if shard is too large. */
SFT_API const char *sft_model_shard_path(const sft_model *model, uint64_t shard);

/* sft_model_index_path() - the path of the index, ended by NUL; NULL if there is none. */
SFT_API const char *sft_model_index_path(const sft_model *model);

#ifdef __cplusplus
}
#endif

#endif /* SFT_SHARDS_H */
