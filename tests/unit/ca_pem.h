/* SPDX-License-Identifier: ISC */
/* A CA that has signed nothing, for tests that must not need one of the host.
 */
#ifndef TESTS_UNIT_CA_PEM_H
#define TESTS_UNIT_CA_PEM_H

static const char ca_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbzCCARWgAwIBAgIUM+kwFvJSVLueaoAiXSpYqC3ieeMwCgYIKoZIzj0EAwIw\n"
    "DTELMAkGA1UEAwwCY2EwHhcNMjYxMTI5MDQ0NjQ2WhcNMzYxMTI2MDQ0NjQ2WjAN\n"
    "MQswCQYDVQQDDAJjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABC++ASD+spk6\n"
    "j/dHVz1Pel9O0k8NnBbFzfrU7ddvwEnGLguXt/NxEzwQh0sYEWYM1Z4Up5K6yKdI\n"
    "5TWnxH+CcYyjUzBRMB0GA1UdDgQWBBTq29mGPqGMCPWRm63s6oIk5Y5UBjAfBgNV\n"
    "HSMEGDAWgBTq29mGPqGMCPWRm63s6oIk5Y5UBjAPBgNVHRMBAf8EBTADAQH/MAoG\n"
    "CCqGSM49BAMCA0gAMEUCIE63ZtJyCLm613Puk2WDsNcHdnq6/1QHPQWxtfv9PmPV\n"
    "AiEAoTbp33+2ucwC8VBhB/UBixPPzDnrgK35gKXChvT2j94=\n"
    "-----END CERTIFICATE-----\n";

#endif
