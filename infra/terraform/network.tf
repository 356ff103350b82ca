# Head and workers have private addresses only. They fetch through one NAT gateway, reach S3 by an
# endpoint that costs nothing, and SSH (`ray up`, `ray dashboard`) comes in through AWS itself.
resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:Flow logs of workers that fetch the world say little and cost much.
  cidr_block           = var.cidr
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each = { for number, zone in var.zones : zone => number }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)

  tags = { Name = "${var.name}-private-${each.key}" }
}

# Holds the NAT gateway and nothing else.
resource "aws_subnet" "gateway" {
  vpc_id                  = aws_vpc.this.id
  availability_zone       = var.zones[0]
  cidr_block              = cidrsubnet(var.cidr, 8, 255)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-gateway" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_eip" "nat" {
  #checkov:skip=CKV2_AWS_19:It is the NAT gateway's.
  domain = "vpc"
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.gateway.id
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route_table" "gateway" {
  vpc_id = aws_vpc.this.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "gateway" {
  subnet_id      = aws_subnet.gateway.id
  route_table_id = aws_route_table.gateway.id
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.this.id
  }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
}

resource "aws_security_group" "ray" {
  #checkov:skip=CKV2_AWS_5:Ray's nodes have it (cluster/aws.yaml).
  name        = "${var.name}-ray"
  description = "Ray's nodes among themselves, and SSH from the connect endpoint"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "among_themselves" {
  security_group_id            = aws_security_group.ray.id
  referenced_security_group_id = aws_security_group.ray.id
  description                  = "Ray"
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  #checkov:skip=CKV_AWS_24:From the endpoint's group only.
  security_group_id            = aws_security_group.ray.id
  referenced_security_group_id = aws_security_group.connect.id
  description                  = "ray up, ray dashboard"
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_vpc_security_group_egress_rule" "ray" {
  #checkov:skip=CKV_AWS_382:Lectures may be on any port of any server; medpipe's own guard keeps private addresses out.
  security_group_id = aws_security_group.ray.id
  description       = "Fetching"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "connect" {
  name        = "${var.name}-connect"
  description = "EC2 Instance Connect Endpoint"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_egress_rule" "connect" {
  security_group_id            = aws_security_group.connect.id
  referenced_security_group_id = aws_security_group.ray.id
  description                  = "SSH to Ray's nodes"
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_ec2_instance_connect_endpoint" "this" {
  subnet_id          = aws_subnet.private[var.zones[0]].id
  security_group_ids = [aws_security_group.connect.id]
}
