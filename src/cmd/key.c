/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* key create, key show, key export - the key pair of a jwt credential. Its certificate is wanted before a profile can be whole. */
#include "cmd_internal.h"
#include "identity.h"

#define KEY_FILES                                                                                                      \
    {"key", 0, "FILE", "the private key; default: identity.private_key_file of the profile"},                          \
    {                                                                                                                  \
        "certificate-file", 0, "FILE", "its certificate; default: identity.certificate_file of the profile"            \
    }

const struct option_spec key_create_options[] = {
    {"bits", 0, "N", "2048 to 8192; default 2048"},
    {"days", 0, "N", "the certificate's life, 1 to 3650; default 365"},
    {"force", 0, NULL, "replace a pair that is there"},
    KEY_FILES,
    {0},
};
const struct option_spec key_show_options[] = {KEY_FILES, {0}};
const struct option_spec key_export_options[] = {
    {"certificate", 0, NULL, "the certificate (this is what happens without options)"},
    {"public", 0, NULL, "the public key alone, as PEM"},
    {"output", 'o', "FILE", "into this file instead of standard output"},
    KEY_FILES,
    {0},
};

struct key_files {
    const char *key, *certificate; /* borrowed */
    char *common_name;
};

static void key_files_release(struct key_files *f)
{
    free(take(&f->common_name));
}

/* From the options, else from the profile. 0, else an exit code. */
static int find_files(struct cmd *c, struct key_files *f)
{
    f->key = args_text(&c->args, "key");
    f->certificate = args_text(&c->args, "certificate-file");
    if (f->key && f->certificate) {
        f->common_name = str_copy("brandsync");
        return 0;
    }
    if (f->key || f->certificate)
        return cmd_fail(c, EX_USAGE, "--key and --certificate-file belong together");
    int code = cmd_profile(c);
    if (code)
        return code;
    f->key = c->profile->identity.private_key_file;
    f->certificate = c->profile->identity.certificate_file;
    f->common_name = str_printf("brandsync %s", c->profile->name);
    if (f->key && f->certificate)
        return 0;
    return cmd_fail(c, EX_CONFIG,
                    "the profile names no private_key_file and certificate_file: only identity.mode jwt has them");
}

static void info_render(const struct cmd *c, const struct key_info *info, struct buf *out)
{
    buf_printf(out, "key          RSA, %d bits\n", info->bits);
    buf_printf(out, "certificate  %s\n", SAFE(info->subject));
    buf_printf(out, "valid        %s to %s\n", WHEN(info->not_before_ms, c->now_ms),
               WHEN(info->not_after_ms, c->now_ms));
    buf_printf(out, "sha256       %s\n", info->fingerprint_sha256);
}

static json_t *info_json(const struct key_info *info)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b}", "bits", info->bits, "subject", SAFE(info->subject), "not_before",
                     RFC3339(info->not_before_ms), "not_after", RFC3339(info->not_after_ms), "fingerprint_sha256",
                     info->fingerprint_sha256, "is_pair", info->is_pair);
}

int key_create_run(struct cmd *c)
{
    AUTO(key_files_release) struct key_files f = {0};
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    struct key_opts opts = {.bits = 2048, .days = 365, .forced = args_has(&c->args, "force")};
    struct key_info info;
    struct err e;

    if (!args_int(&c->args, "bits", 2048, 8192, &opts.bits, &e) || !args_int(&c->args, "days", 1, 3650, &opts.days, &e))
        return cmd_fail(c, EX_USAGE, "%s", e.text);
    int code = find_files(c, &f);
    if (code)
        return code;
    opts.common_name = f.common_name;
    if (!key_create(f.key, f.certificate, &opts, &e) || !key_show(f.key, f.certificate, &info, &e))
        return cmd_fail(c, e.kind == ERR_CONFIG ? EX_CANTCREAT : exit_of(&e), "%s", e.text);
    if (c->is_quiet)
        return 0;
    info_render(c, &info, &out);
    print_buf(&out);
    cmd_hint(c, "Wrote %s and %s. Next: brandsync key export, and give that certificate to the credential",
             SHELL(f.key), SHELL(f.certificate));
    return 0;
}

int key_show_run(struct cmd *c)
{
    AUTO(key_files_release) struct key_files f = {0};
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    struct key_info info;
    struct err e;
    int code = find_files(c, &f);

    if (code)
        return code;
    if (!key_show(f.key, f.certificate, &info, &e))
        return cmd_fail_err(c, &e);
    AUTO(json_freep) json_t *object = info_json(&info);
    info_render(c, &info, &out);
    code = c->wants_json ? print_json(object) : print_buf(&out);
    if (!info.is_pair)
        return cmd_fail(c, EX_CONFIG,
                        "the certificate is not of this key: brandsync key create --force makes a new pair");
    if (info.not_after_ms < c->now_ms)
        return cmd_fail(c, EX_CONFIG, "the certificate ended: brandsync key create --force makes a new pair");
    return code;
}

int key_export_run(struct cmd *c)
{
    AUTO(key_files_release) struct key_files f = {0};
    AUTO(buf_release) struct buf pem = BUF_INIT(1 << 20);
    const char *output = args_text(&c->args, "output");
    bool only_public = args_has(&c->args, "public");
    struct err e;

    if (only_public && args_has(&c->args, "certificate"))
        return cmd_fail(c, EX_USAGE, "either --public or --certificate");
    int code = find_files(c, &f);
    if (code)
        return code;
    if (!(only_public ? key_export_public(f.key, &pem, &e) : certificate_read(f.certificate, &pem, &e)))
        return cmd_fail_err(c, &e);
    if (!output)
        return print_buf(&pem);
    return file_replace(output, pem.data, pem.len, 0644, &e) ? 0 : cmd_fail_err(c, &e);
}
