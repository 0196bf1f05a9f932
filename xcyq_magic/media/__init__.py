"""What is attached: values and files become content parts that a model takes."""
