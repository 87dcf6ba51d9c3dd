# Every rule about Terraform itself. The rules about AWS are a plug-in from the
# registry; the provider's own validation runs in the tests.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
