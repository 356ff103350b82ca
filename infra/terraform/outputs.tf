# What cluster/fill.py puts into cluster/aws.yaml, and what a run needs to know.
data "aws_ssm_parameter" "node_image" {
  name = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
}

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "bucket" {
  description = "Bucket for --out."
  value       = aws_s3_bucket.this.id
}

output "queue_uri" {
  description = "For --queue."
  value       = "sqs://${var.region}/${var.name}-items"
}

output "private_subnet_ids" {
  description = "Where Ray's nodes come up."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "security_group_id" {
  description = "Of Ray's nodes."
  value       = aws_security_group.ray.id
}

output "connect_endpoint_id" {
  description = "The way in for SSH."
  value       = aws_ec2_instance_connect_endpoint.this.id
}

output "node_image_id" {
  description = "Machine image with Docker and NVIDIA's driver."
  value       = data.aws_ssm_parameter.node_image.insecure_value
}

output "head_instance_profile_arn" {
  description = "Role of the head."
  value       = aws_iam_instance_profile.this["head"].arn
}

output "worker_instance_profile_arn" {
  description = "Role of workers that curate."
  value       = aws_iam_instance_profile.this["worker"].arn
}

output "trainer_instance_profile_arn" {
  description = "Role of workers that train: put it in place of the worker's on a cluster that trains."
  value       = aws_iam_instance_profile.this["trainer"].arn
}

output "kubernetes_role_arn" {
  description = "For the service account of cluster/kuberay; null without an OIDC provider."
  value       = one(aws_iam_role.pods[*].arn)
}
