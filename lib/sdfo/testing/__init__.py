"""What tests, bench and the demonstration are made of: exams real and generated, odd inputs, and a contract suite per interface."""
