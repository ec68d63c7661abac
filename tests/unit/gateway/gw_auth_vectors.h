/* Tokens and keys made by PyJWT 2.6. The HS secret is "peal-test-secret-of-32-bytes-0123"; twice
 * that for bob and carol. Unless said otherwise they expire in 2100. */
#ifndef PEAL_TESTS_GW_AUTH_VECTORS_H
#define PEAL_TESTS_GW_AUTH_VECTORS_H

static const char py_rsa_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqs9XQ71dvt4PQbUiltHP\n"
    "7BGFGlk3AGV2GZmlO2JTQpkX3P4f54Es/81QvPGohOBSGQrI8+B2J0/uUz0CJmT0\n"
    "uUoH66YxNggqurWTMGa7T/ItNO6u3tibVf+tGO3PWaRdGhkGQpOCGeM3CULqzbHk\n"
    "Ey2jBW7guRjYCR88y2JqK6NxOdYJW3hfj6ZYifuJaFDlZ0pzz7UbJ4UOxv3TiY+Q\n"
    "Dtxm+GIuPxcRukbHRVdssWtGO3KpOu4a4dWcyQDKFixCVLjpurdl/xVQ/G6G7s8C\n"
    "FeVerzYtJog56WzVeSK0fJqxICZHCCd4JmtgwfzYMIw5yrBqkO9Ut5T98UloVaSd\n"
    "kwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char py_p256_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpgSAHxJv/Pd3GABdHoGVa/W8eTPU\n"
    "MDKm9qu3Jwe2ec8Qt55Aw5aApnPsJv6MhB1fBO+j7/KnFsGNiVEMot+y/A==\n"
    "-----END PUBLIC KEY-----\n";
static const char py_p521_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBgEHqg/OqEN4plAYTXuMkOMXzb6SL\n"
    "vDLtLvf6oS4xXE87txbQpsJDeD2zZOisvvdZsaJCMj4LpOoBwZC5YkJnx0UBs5sC\n"
    "krparAQXo4zFWEFMiQtRI0F3izIuz9j+EV4li8OPqRDOXM6sxKyDiOmZM8FqmwWH\n"
    "u+9MMAltGLVhCzvsJhA=\n"
    "-----END PUBLIC KEY-----\n";
static const char py_rs256[] =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkb3JhIiwiZXhwIjo0MTAyNDQ0ODAwfQ."
    "SfcmfkHnFclrmhds2RldQBGqAM6h7hoXTWCssbo_Nf97_-fyA2uhuoOF7du3jk5wlAr0b4mHdvKesT7C"
    "48gQe05Xp23Zk3b4MTahFFn6Rr_6cbuB-jL21h8pSFBduPlVBbIUO2fEOYxghXBSmeU4OHfwNyKCeGup"
    "zxqPxHPA5gWKlzyQ-2Rd5vK_TnsFtq0sBrAoVaNInyLzKuvcZES5Rtu259056uWgv8txJVofGfa6woEZ"
    "F6BXxyvPQt1AfdAH7wm_ZlwB60bk5_91rKZRKIAomDOCQL5MaPP1eNyTyS4i0kt31zmlzFXZ5FA75U55"
    "8ZbDRdurBKzODXZwq5tFXw";
static const char py_es256[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkb3JhIiwiZXhwIjo0MTAyNDQ0ODAwfQ."
    "ob1jq6wZ0SlovWh-N9Im3N1GuhsFRVhqxJndxSI8XCaQcwK514uMFBbptDYj5o3OIUe9qetSp1uMP2sH"
    "E-Kqlg";
static const char py_es512[] =
    "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkb3JhIiwiZXhwIjo0MTAyNDQ0ODAwfQ."
    "AemyXtvT4i_nMfKgZIjB1Xny5DAwo9oOy-hYCQ1WHcnsBhz5q5tLBJQwQc4jHzsIR-dBPuDrjHRzeyBg"
    "h4oqIM4wAcgCmJLnNtL-BeRKBz4jO7vXhPNUTV7SWxacmtqMqrdFCfbKYhUvU3J1SkDC6xQ2XYa1rRnv"
    "Y97PEGjLFPDfLEtJ";
static const char py_alice[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMCw"
    "iaWF0IjoxNjAwMDAwMDAwLCJyb2xlIjoiYWRtaW4ifQ.75FX4NBgrjh4yDFgjCX3sswETY52wy4LX9Ef"
    "YguMzCg";
static const char py_zoe[] =
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJzdWIiOiJab1x1MDBlYiIsImV4"
    "cCI6NDEwMjQ0NDgwMCwiYXVkIjpbImNoYXQiLCJvdGhlciJdLCJpc3MiOiJodHRwczovL2xvZ2luLmV4"
    "YW1wbGUifQ.po5pZo-LAzVvmYoVh-TBs_artBdLa_MBk-wosZdgEnc";
static const char py_bob[] =
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJib2IiLCJleHAiOjQxMDI0NDQ4MDAuNSw"
    "icm9vbXMiOlsicmVkIiwiYmx1ZSJdfQ.sQEo97AVPsLjOTemqqCRKUG82mitX7b-QbnlFgjLucIgECsv"
    "wGX_sgB1D5FXJ4yEEEKuC-P3SwfQvqbUTcCf6w";
static const char py_carol[] =
    "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjYXJvbCJ9.-bzbBPrD1vLHoqc1BqODt7"
    "bHjBCO4v_wWhZ0-M_aSeMHmTSNpmmGGj0WuIjEBpqV";
static const char py_late[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJsYXRlIiwiZXhwIjoxNjAwMDAwMDAwfQ."
    "fvUBKZDnwBa8e2WTQA5jnG1Jv--EYwBmC93eKhCoBio";

#endif
