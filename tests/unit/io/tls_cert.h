/* A certificate for tests of TLS, made on the spot: signed by itself, for localhost and 127.0.0.1. */
#ifndef PEAL_TESTS_TLS_CERT_H
#define PEAL_TESTS_TLS_CERT_H

/* Writes certificate and key in PEM form into the files. */
void tls_cert_write(const char *cert_path, const char *key_path);

#endif
